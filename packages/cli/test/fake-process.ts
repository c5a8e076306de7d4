import { PassThrough } from 'node:stream'
import type { Readable } from 'node:stream'
import type { Exit, Process, TerminalSize } from '@holm/core'

export interface FakeProcess extends Process {
  readonly stdin: PassThrough
  readonly stdout: PassThrough
  readonly stderr: PassThrough
  readonly killed: NodeJS.Signals[]
  readonly sizes: TerminalSize[]
  /** Ends its streams; `exited` resolves when they have been read, as the contract says. */
  end(exit: Exit): void
  lose(error: Error): void
}

export function createFakeProcess(): FakeProcess {
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() }
  const killed: NodeJS.Signals[] = []
  const sizes: TerminalSize[] = []
  const { promise: exited, resolve, reject } = Promise.withResolvers<Exit>()
  return {
    ...streams,
    killed,
    sizes,
    exited,
    kill: (signal) => {
      killed.push(signal)
      return Promise.resolve()
    },
    resize: (size) => {
      sizes.push(size)
      return Promise.resolve()
    },
    end(exit) {
      streams.stdout.end()
      streams.stderr.end()
      void Promise.all([ended(streams.stdout), ended(streams.stderr)]).then(() => resolve(exit))
    },
    lose: reject,
  }
}

function ended(stream: Readable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (stream.readableEnded) resolve()
  else stream.once('end', resolve)
  return promise
}
