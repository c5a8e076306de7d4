import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Logger } from '@holm/core'
import type { Exec } from '../services/inside.ts'
import type { Lifecycle, LifecycleCommand, Stage } from './file.ts'

export interface StageOptions {
  readonly workspace: string
  readonly exec: Exec
  readonly log: Logger
  /** Folder of this machine for what the commands say: `<workspace>.log`. */
  readonly logs: string
  readonly signal: AbortSignal
}

/** Lines of a failed command that are told at once. */
const shownLines = 10

/**
 * Runs the commands of a stage inside, one after another. One that fails, or is not done in time, is a warning with its last lines,
 * and the rest of the stage is left out; what all of them said is kept.
 */
export async function runStage(lifecycle: Lifecycle, stage: Stage, options: StageOptions): Promise<void> {
  const { log, workspace, logs } = options
  for (const [index, command] of lifecycle[stage].entries()) {
    if (options.signal.aborted) return
    const { problem, output } = await runCommand(command, options)
    const path = keep(logs, workspace, `== ${stage} ${command.name}: ${problem ?? 'done'}\n${output}`)
    if (problem === undefined) continue
    const left = lifecycle[stage].length - index - 1
    const rest = left === 0 ? '' : `; ${left} more of ${stage} ${left === 1 ? 'is' : 'are'} left out`
    const lines = output.trimEnd().split('\n').slice(-shownLines).join('\n')
    log.warn(
      `${stage} ${command.name} ${problem}${rest} (all of it: ${path})${lines === '' ? '' : `\n${lines}`}`,
    )
    return
  }
}

function keep(folder: string, workspace: string, text: string): string {
  const path = join(folder, `${workspace}.log`)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  appendFileSync(path, text.endsWith('\n') ? text : `${text}\n`, { mode: 0o600 })
  return path
}

interface Ended {
  /** What went wrong, one phrase. */
  readonly problem: string | undefined
  readonly output: string
}

/** As much as is kept of one command, characters. */
const mostOutput = 1_000_000

async function runCommand(
  { argv, env, timeoutMs }: LifecycleCommand,
  { exec }: StageOptions,
): Promise<Ended> {
  const process = await exec({ argv, env, stdin: 'ignore' })
  let output = ''
  const collect = (stream: Readable): void =>
    void stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-mostOutput)
    })
  collect(process.stdout)
  collect(process.stderr)
  let late = false
  const timer = setTimeout(() => {
    late = true
    void process.kill('SIGKILL').catch(() => undefined)
  }, timeoutMs)
  try {
    const { code } = await process.exited
    if (late) return { problem: `was not done within ${timeoutMs / 1000} s`, output }
    return { problem: code === 0 ? undefined : `ended with ${code}`, output }
  } finally {
    clearTimeout(timer)
  }
}
