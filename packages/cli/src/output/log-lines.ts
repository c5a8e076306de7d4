import type { LogChunk } from '@holm/core'
import type { StreamItem } from './result.ts'

/** Chunks of bytes to whole lines, each stream on its own; a character split between chunks stays whole. */
export async function* splitLogLines(chunks: AsyncIterable<LogChunk>): AsyncIterable<StreamItem> {
  const open = { stdout: createLineBuffer(), stderr: createLineBuffer() }
  for await (const { stream, data } of chunks) {
    for (const text of open[stream].push(data)) yield { stream, text }
  }
  for (const stream of ['stdout', 'stderr'] as const) {
    for (const text of open[stream].end()) yield { stream, text }
  }
}

interface LineBuffer {
  push(data: Uint8Array): string[]
  end(): string[]
}

function createLineBuffer(): LineBuffer {
  const decoder = new TextDecoder()
  let pending = ''
  const take = (text: string): string[] => {
    const lines = (pending + text).split(/\r?\n/)
    pending = lines.pop() ?? ''
    return lines
  }
  return {
    push: (data) => take(decoder.decode(data, { stream: true })),
    end: () => [...take(decoder.decode()), pending].filter((line) => line !== ''),
  }
}
