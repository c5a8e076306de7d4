import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { within } from '@holm/testkit'
import { root } from '../../scripts/root.ts'

/** A `holm serve` of the built CLI that is ready. */
export interface Serving {
  readonly url: string
  readonly socket: string
  readonly tokenFile: string
  readonly token: string
  readonly pid: number
  /** Sends a signal, and tells how it ended and everything that it printed. */
  end(
    signal: NodeJS.Signals,
  ): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
}

interface Started {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  readonly args?: readonly string[]
}

export async function startServing({ cwd, env, args = [] }: Started): Promise<Serving> {
  const child = spawn(join(root, 'bin', 'holm'), ['serve', '--json', ...args], { cwd, env })
  const printed = { stdout: '', stderr: '' }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  child.stderr.on('data', (chunk: Buffer) => (printed.stderr += chunk.toString()))
  const line = await within(firstLine(child, printed, ended), {
    what: 'holm serve to be ready',
    deadlineMs: 60_000,
  })
  const ready = JSON.parse(line) as Omit<Serving, 'token' | 'end'>
  return {
    ...ready,
    token: readFileSync(ready.tokenFile, 'utf8').trim(),
    async end(signal) {
      child.kill(signal)
      const code = await within(ended, { what: `holm serve to end by ${signal}`, deadlineMs: 60_000 })
      return { code, ...printed }
    },
  }
}

function firstLine(
  child: ChildProcess,
  printed: { stdout: string; readonly stderr: string },
  ended: Promise<unknown>,
): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      printed.stdout += chunk.toString()
      const [line, rest] = printed.stdout.split('\n')
      if (line !== undefined && rest !== undefined) resolve(line)
    })
    void ended.then((code) => reject(new Error(`holm serve ended with ${String(code)}: ${printed.stderr}`)))
  })
}
