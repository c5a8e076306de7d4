import { Readable, Writable } from 'node:stream'
import { isDeepStrictEqual } from 'node:util'
import { HolmError, assertNotAborted } from '@holm/core'
import type { RunResult, Runner, RunToEndOptions, SpawnOptions } from '@holm/core'

/** One recorded program: what was run and what it said. */
export interface Recording {
  /** Exact words, or a function that recognises them. */
  readonly argv: readonly string[] | ((argv: readonly string[]) => boolean)
  readonly code?: number
  readonly stdout?: string | Uint8Array
  readonly stderr?: string | Uint8Array
  /** The program is not on PATH: HOLM_TOOL_MISSING. */
  readonly missing?: boolean
  /** Serves one call only; default: every call. */
  readonly once?: boolean
}

export interface RunnerCall {
  readonly argv: readonly string[]
  readonly options: RunToEndOptions & SpawnOptions
}

export type FakeRunner = Runner & { readonly calls: readonly RunnerCall[] }

/** A Runner that replays recordings, first match first, and refuses every program it has no recording of. */
export function createFakeRunner(script: readonly Recording[]): FakeRunner {
  const calls: RunnerCall[] = []
  const left = [...script]
  const replay = (argv: readonly string[], options: RunToEndOptions & SpawnOptions): Recording => {
    if (options.signal) assertNotAborted(options.signal)
    calls.push({ argv, options })
    return takeRecording(left, argv)
  }
  return {
    calls,
    run: async (argv, options = {}) => resultOf(replay(argv, options)),
    spawn: async (argv, options = {}) => {
      const recording = replay(argv, options)
      return {
        pid: undefined,
        stdin: options.stdin === 'pipe' ? new Writable({ write: (_chunk, _encoding, done) => done() }) : null,
        stdout: Readable.from(chunksOf(recording.stdout)),
        stderr: Readable.from(chunksOf(recording.stderr)),
        kill: async () => undefined,
        resize: async () => undefined,
        exited: Promise.resolve({ code: recording.code ?? 0 }),
      }
    },
  }
}

function takeRecording(left: Recording[], argv: readonly string[]): Recording {
  const index = left.findIndex((each) => matches(each, argv))
  const found = left[index]
  if (found === undefined) {
    throw new HolmError('HOLM_BUG', `the fake runner has no recording of ${JSON.stringify(argv)}`, {
      hint: 'Record it in the script of createFakeRunner.',
    })
  }
  if (found.once) left.splice(index, 1)
  if (found.missing) {
    throw new HolmError('HOLM_TOOL_MISSING', `cannot start ${argv[0] ?? ''}: not found`)
  }
  return found
}

function matches({ argv: wanted }: Recording, argv: readonly string[]): boolean {
  return typeof wanted === 'function' ? wanted(argv) : isDeepStrictEqual([...wanted], [...argv])
}

function resultOf(recording: Recording): RunResult {
  const text = (output: string | Uint8Array = ''): string => Buffer.from(output).toString('utf8')
  return { code: recording.code ?? 0, stdout: text(recording.stdout), stderr: text(recording.stderr) }
}

function chunksOf(output: string | Uint8Array = ''): Buffer[] {
  return output.length === 0 ? [] : [Buffer.from(output)]
}
