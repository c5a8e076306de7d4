import type { LiveTable } from '@holm/core'
import { showLiveTable, type LiveTableView } from './output/live-table.ts'
import type { Streams } from './streams.ts'

export interface LiveRun extends LiveTableView {
  /** Runs a command line of holm's own to its end. */
  runLine(argv: readonly string[]): Promise<number>
  report(error: unknown): void
}

/** The table, what a key asks for, and the table again, until it is left. */
export async function runLiveTable(live: LiveTable, run: LiveRun): Promise<number> {
  for (;;) {
    const next = await showLiveTable(live, run)
    if (next === undefined) return run.signal.aborted ? 130 : 0
    try {
      await run.runLine(next)
    } catch (error) {
      run.report(error)
    }
    if (run.signal.aborted) return 130
    // What a shell said was seen; what anything else said must not vanish with the next frame.
    if (!next.includes('shell')) await awaitKey(run.streams, run.signal)
  }
}

async function awaitKey({ stdin, stdout }: Streams, signal: AbortSignal): Promise<void> {
  stdout.write('\nany key goes back ')
  const { promise, resolve } = Promise.withResolvers<void>()
  const done = (): void => resolve()
  stdin.setRawMode?.(true)
  stdin.once('data', done).once('end', done).resume()
  signal.addEventListener('abort', done, { once: true })
  await promise
  stdin.off('data', done).off('end', done).pause()
  stdin.setRawMode?.(false)
  stdout.write('\n')
}
