import { spawn } from 'node:child_process'
import { root } from './root.ts'

export interface CommandResult {
  readonly code: number
  readonly output: string
}

export interface CommandOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Shows the output while it comes instead of collecting it. */
  readonly inherit?: boolean
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** Runs a command to its end; a failure is an exit code, never an exception. */
export function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { cwd = root, env = process.env, inherit = false, timeoutMs, signal } = options
  const [command = '', ...args] = argv
  const { promise, resolve } = Promise.withResolvers<CommandResult>()
  const child = spawn(command, args, {
    cwd,
    env,
    stdio: inherit ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    // On Windows the tools of node_modules are batch files.
    shell: process.platform === 'win32',
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    ...(signal === undefined ? {} : { signal }),
  })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.on('error', (error) => resolve({ code: 127, output: `${output}${error.message}\n` }))
  child.on('close', (code, killedBy) =>
    resolve({ code: code ?? 1, output: killedBy ? `${output}ended by ${killedBy}\n` : output }),
  )
  return promise
}

/** The environment of a script: the tools of this checkout come first. */
export function withLocalTools(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const separator = process.platform === 'win32' ? ';' : ':'
  const folders = [`${root}/node_modules/.bin`, `${root}/.tools/node_modules/.bin`]
  return { ...env, PATH: [...folders, env['PATH'] ?? ''].join(separator) }
}

export function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n')
}
