import { createRunner } from '../../src/host/runner.ts'
import type { Inside, InsideRequest, InsideResult, Reporter } from '../../src/host/provision/index.ts'

export interface ScriptedInside extends Inside {
  readonly requests: InsideRequest[]
  /** Every argument list that ran, joined by spaces. */
  readonly commands: () => readonly string[]
}

/** An inside whose answers come from a function; without one a command succeeds silently. */
export function createScriptedInside(
  answer: (command: string, request: InsideRequest) => Partial<InsideResult> | undefined,
): ScriptedInside {
  const requests: InsideRequest[] = []
  return {
    requests,
    commands: () => requests.map(({ argv }) => argv.join(' ')),
    async run(request, onOutput) {
      requests.push(request)
      const result = { code: 0, stdout: '', stderr: '', ...answer(request.argv.join(' '), request) }
      if (result.stdout !== '') onOutput?.('stdout', result.stdout)
      if (result.stderr !== '') onOutput?.('stderr', result.stderr)
      return result
    },
  }
}

/** This machine as an inside: real shells, no change of user. For commands that change nothing but temporary files. */
export function createLocalInside(env: Readonly<Record<string, string>> = {}): Inside {
  const runner = createRunner({ env: { PATH: process.env['PATH'], ...env } })
  return {
    async run({ argv, cwd, env: own = {}, input, signal }, onOutput) {
      const result = await runner.run(argv, {
        env: { PATH: process.env['PATH'] ?? '', ...env, ...own },
        ...(cwd === undefined ? {} : { cwd }),
        ...(input === undefined ? {} : { input }),
        ...(signal === undefined ? {} : { signal }),
      })
      if (result.stdout !== '') onOutput?.('stdout', result.stdout)
      if (result.stderr !== '') onOutput?.('stderr', result.stderr)
      return result
    },
  }
}

/** A reporter that remembers: steps and skips in `steps`, lines and warnings in `lines`. */
export function createRecorder(): Reporter & { readonly steps: string[]; readonly lines: string[] } {
  const steps: string[] = []
  const lines: string[] = []
  return {
    steps,
    lines,
    step(name, work) {
      steps.push(name)
      return work()
    },
    skip: (name, why) => void steps.push(`skip ${name}: ${why}`),
    output: (_stream, text) => void lines.push(text),
    warn: (message) => void lines.push(`warning: ${message}`),
  }
}
