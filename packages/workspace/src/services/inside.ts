import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { ExecRequest, Process } from '@holm/core'

/** A way into an environment: `host.exec` on it, or what a hook is given. */
export type Exec = (request: ExecRequest) => Promise<Process>

export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program inside to its end and collects what it says; a deadline in milliseconds ends it with code 124. */
export async function ask(exec: Exec, request: ExecRequest, timeoutMs?: number): Promise<Answer> {
  const process = await exec({ ...request, stdin: 'ignore' })
  const answer = Promise.all([read(process.stdout), read(process.stderr), process.exited])
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => void process.kill('SIGKILL').catch(() => undefined), timeoutMs)
  try {
    const [stdout, stderr, { code }] = await answer
    return { code, stdout, stderr }
  } finally {
    clearTimeout(timer)
  }
}

function read(stream: Readable): Promise<string> {
  return text(stream)
}

/** A script of scripts.ts with its arguments; nothing is put into its text. */
export function script(body: string, args: readonly string[]): ExecRequest {
  return { argv: ['/bin/sh', '-c', body, 'holm', ...args] }
}
