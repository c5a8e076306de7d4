import type { ReadStream, WriteStream } from 'node:tty'
import type { Readable, Writable } from 'node:stream'

/** The three standard streams; the terminal's own members are there when it is one. */
export interface Streams {
  readonly stdin: Readable & Partial<Pick<ReadStream, 'isTTY' | 'setRawMode'>>
  readonly stdout: TerminalWritable
  readonly stderr: TerminalWritable
}

export type TerminalWritable = Writable & Partial<Pick<WriteStream, 'isTTY' | 'columns' | 'rows'>>

/** Waits until what was written has left this process. A closed reader is no error here. */
export function flushStream(stream: Writable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (stream.destroyed || stream.writableEnded) resolve()
  else stream.write('', () => resolve())
  return promise
}
