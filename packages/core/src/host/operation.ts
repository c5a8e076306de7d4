import type { HolmEvent } from '../events.ts'
import type { CallOptions } from '../host-api.ts'
import type { ProviderContext } from '../provider.ts'
import type { Runner } from '../process.ts'
import { createLogger, type LogLevel } from './log.ts'
import { sanitize } from './redact.ts'

export interface StepRecord {
  readonly step: string
  readonly elapsedMs: number
  readonly skipped?: string
}

/** One call of the host on one environment: its signal, its events, its named steps. */
export interface Operation {
  readonly environment: string
  readonly signal: AbortSignal
  readonly steps: readonly StepRecord[]
  readonly warnings: readonly string[]
  /** What provider methods get. */
  readonly context: ProviderContext
  emit(event: HolmEvent): void
  warn(message: string, hint?: string, plugin?: string): void
  /** Runs a named step; its time and outcome become events. */
  step<T>(name: string, work: () => Promise<T>): Promise<T>
  skip(name: string, why: string): void
  output(stream: 'stdout' | 'stderr', text: string): void
  /** The same operation with another signal: for clean-up after an abort. */
  withSignal(signal: AbortSignal): Operation
  /** Values to be masked in everything that is emitted from now on. */
  hide(secrets: Iterable<string>): void
}

export interface OperationOptions {
  readonly environment: string
  readonly call: CallOptions
  readonly runner: Runner
  readonly logLevel: LogLevel
  /** Where every event goes first: hooks, log, the host's own listeners. */
  readonly publish: (event: HolmEvent) => void
}

interface Recorder {
  readonly steps: StepRecord[]
  readonly warnings: string[]
  readonly secrets: Set<string>
  current: string
}

const neverAborted = new AbortController().signal

export function createOperation(options: OperationOptions): Operation {
  return operationOver(
    options,
    { steps: [], warnings: [], secrets: new Set(), current: '' },
    options.call.signal ?? neverAborted,
  )
}

function operationOver(options: OperationOptions, recorder: Recorder, signal: AbortSignal): Operation {
  const { environment } = options
  const emit = (event: HolmEvent): void => {
    options.publish(event)
    options.call.onEvent?.(event)
  }
  const clean = (text: string): string => sanitize(text, recorder.secrets)
  const warn = (message: string, hint?: string, plugin?: string): void => {
    recorder.warnings.push(clean(message))
    emit({
      type: 'warning',
      environment,
      message: clean(message),
      ...(hint === undefined ? {} : { hint }),
      ...(plugin === undefined ? {} : { plugin }),
    })
  }
  return {
    environment,
    signal,
    steps: recorder.steps,
    warnings: recorder.warnings,
    context: {
      signal,
      runner: options.runner,
      log: createLogger({ level: options.logLevel, emit, warn, from: { environment } }),
      progress: (update) => emit({ type: 'progress', environment, step: recorder.current, ...update }),
    },
    emit,
    warn,
    step: (name, work) => runStep({ recorder, environment, emit }, name, work),
    skip: (step, skipped) => {
      recorder.steps.push({ step, elapsedMs: 0, skipped })
      emit({ type: 'step-done', environment, step, elapsedMs: 0, skipped })
    },
    output: (stream, text) =>
      emit({ type: 'output', environment, step: recorder.current, stream, text: clean(text) }),
    withSignal: (other) => operationOver(options, recorder, other),
    hide: (secrets) => {
      for (const secret of secrets) recorder.secrets.add(secret)
    },
  }
}

interface StepContext {
  readonly recorder: Recorder
  readonly environment: string
  readonly emit: (event: HolmEvent) => void
}

async function runStep<T>(
  { recorder, environment, emit }: StepContext,
  step: string,
  work: () => Promise<T>,
): Promise<T> {
  const outer = recorder.current
  const begin = performance.now()
  const elapsed = (): number => Math.round(performance.now() - begin)
  recorder.current = step
  emit({ type: 'step-started', environment, step })
  try {
    const result = await work()
    recorder.steps.push({ step, elapsedMs: elapsed() })
    emit({ type: 'step-done', environment, step, elapsedMs: elapsed() })
    return result
  } catch (error) {
    emit({
      type: 'step-failed',
      environment,
      step,
      elapsedMs: elapsed(),
      message: sanitize((error as Error).message, recorder.secrets),
    })
    throw error
  } finally {
    recorder.current = outer
  }
}
