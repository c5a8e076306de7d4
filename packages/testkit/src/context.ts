import type { Logger, ProgressUpdate, ProviderContext, Runner } from '@holm/core'
import { createFakeRunner } from './fake-runner.ts'

export interface TestContext extends ProviderContext {
  readonly updates: readonly ProgressUpdate[]
  /** "level: message". */
  readonly lines: readonly string[]
}

export interface TestContextOptions {
  /** Absent: a signal that never fires. */
  readonly signal?: AbortSignal
  /** Absent: a fake runner that refuses every program. */
  readonly runner?: Runner
}

/** A ProviderContext that remembers what it is told. */
export function createTestContext(options: TestContextOptions = {}): TestContext {
  const updates: ProgressUpdate[] = []
  const lines: string[] = []
  return {
    signal: options.signal ?? new AbortController().signal,
    runner: options.runner ?? createFakeRunner([]),
    log: createLogger(lines),
    progress: (update) => void updates.push(update),
    updates,
    lines,
  }
}

function createLogger(lines: string[]): Logger {
  const write = (level: string) => (message: string) => void lines.push(`${level}: ${message}`)
  return { debug: write('debug'), info: write('info'), warn: write('warn') }
}
