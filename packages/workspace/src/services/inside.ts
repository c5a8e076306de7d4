import { text } from 'node:stream/consumers'
import type { ExecRequest, Process } from '@holm/core'

/** A way into an environment: `host.exec` on it, or what a hook is given. */
export type Exec = (request: ExecRequest) => Promise<Process>

export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The code of a program that had no more time. */
export const deadlineCode = 124

/**
 * Runs a program inside to its end and collects what it says. After `timeoutMs` the answer is code 124, whether or not the
 * program can be ended: a frozen environment ends nothing.
 */
export async function ask(exec: Exec, request: ExecRequest, timeoutMs?: number): Promise<Answer> {
  if (timeoutMs === undefined) return collect(await exec({ ...request, stdin: 'ignore' }))
  const deadline = createDeadline(timeoutMs)
  try {
    const started = exec({ ...request, stdin: 'ignore' })
    // Also one that starts after nobody waits for it any more.
    const answer = started.then(async (process) => {
      deadline.signal.addEventListener('abort', () => void process.kill('SIGKILL').catch(() => undefined))
      if (deadline.signal.aborted) void process.kill('SIGKILL').catch(() => undefined)
      return collect(process)
    })
    answer.catch(() => undefined)
    return await Promise.race([answer, deadline.passed])
  } finally {
    deadline.end()
  }
}

async function collect({ stdout, stderr, exited }: Process): Promise<Answer> {
  const [out, err, { code }] = await Promise.all([text(stdout), text(stderr), exited])
  return { code, stdout: out, stderr: err }
}

interface Deadline {
  readonly signal: AbortSignal
  readonly passed: Promise<Answer>
  end(): void
}

function createDeadline(ms: number): Deadline {
  const controller = new AbortController()
  const { promise, resolve } = Promise.withResolvers<Answer>()
  const timer = setTimeout(() => {
    controller.abort()
    resolve({ code: deadlineCode, stdout: '', stderr: `no answer within ${ms / 1000} s` })
  }, ms)
  return { signal: controller.signal, passed: promise, end: () => clearTimeout(timer) }
}

/** A script of scripts.ts with its arguments; nothing is put into its text. */
export function script(body: string, args: readonly string[]): ExecRequest {
  return { argv: ['/bin/sh', '-c', body, 'holm', ...args] }
}
