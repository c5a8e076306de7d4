import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { HolmEvent } from '@holm/core'
import { createSink } from '../../test/run-holm.ts'
import { createProgress } from './progress.ts'
import type { Progress, ProgressOptions } from './progress.ts'
import { createStyle } from './style.ts'

const step = { environment: 'web', step: 'pull' }
const started: HolmEvent = { type: 'step-started', ...step }
const done: HolmEvent = { type: 'step-done', ...step, elapsedMs: 1200 }

function setUp(options: Partial<ProgressOptions> = {}): { progress: Progress; read: () => string } {
  const stream = createSink(options.live ? 60 : undefined)
  const progress = createProgress({
    stream,
    style: createStyle(false),
    live: false,
    quiet: false,
    verbose: false,
    sanitize: (text) => text.replaceAll('\u0007', ''),
    ...options,
  })
  return { progress, read: stream.text }
}

function play(progress: Progress, events: readonly HolmEvent[]): void {
  for (const event of events) progress.onEvent(event)
}

describe('progress in a log', () => {
  const output: HolmEvent = { type: 'output', ...step, stream: 'stdout', text: 'one\u0007\ntwo\n' }
  const events: HolmEvent[] = [
    started,
    { type: 'progress', ...step, message: 'pulling', current: 1, total: 2, unit: 'bytes' },
    output,
    done,
    { type: 'step-done', environment: 'web', step: 'provision', elapsedMs: 0, skipped: 'golden image' },
    { type: 'step-failed', environment: 'web', step: 'start', elapsedMs: 61_000, message: 'no' },
    { type: 'warning', message: 'low disk', hint: 'Free some.', plugin: 'p' },
  ]

  it('is a line for each finished step', () => {
    const { progress, read } = setUp()
    play(progress, events)
    expect(read()).toMatchInlineSnapshot(`
      "ok   pull (1.2 s)
      ok   provision (golden image)
      fail start (1 m 01 s)
      warning: p: low disk
      hint: Free some.
      "
    `)
  })

  it('names the environment where there are several', () => {
    const { progress, read } = setUp()
    const other = { environment: 'db', step: 'pull' }
    play(progress, [
      started,
      { type: 'step-started', ...other },
      done,
      { type: 'step-done', ...other, elapsedMs: 900 },
    ])
    expect(read()).toBe('ok   web: pull (1.2 s)\nok   db: pull (900 ms)\n')
  })

  it('has the output of steps with -v and warnings only with -q', () => {
    const verbose = setUp({ verbose: true })
    play(verbose.progress, events)
    expect(verbose.read()).toContain('  | one\n  | two\nok   pull')
    const quiet = setUp({ quiet: true })
    play(quiet.progress, events)
    expect(quiet.read()).toBe('warning: p: low disk\nhint: Free some.\n')
  })
})

describe('progress on a terminal', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('shows spinner, bar with bytes and time, one write a frame, and gives the cursor back', () => {
    const { progress, read } = setUp({ live: true })
    const item = { type: 'progress', ...step, message: 'layers', unit: 'bytes' } as const
    play(progress, [
      started,
      { ...item, item: 'a', current: 2 ** 20, total: 2 ** 21 },
      { ...item, item: 'b', current: 0, total: 2 ** 21 },
    ])
    expect(read()).toBe('')
    vi.advanceTimersByTime(80)
    expect(read()).toContain('pull  80 ms  [#####---------------] 25 % 1.0 MiB of 4.0 …\n')
    progress.onEvent(done)
    expect(read()).toContain('ok   pull (1.2 s)\n')
    progress.stop()
    expect(read().endsWith('\u001b[?25h')).toBe(true)
    const length = read().length
    vi.advanceTimersByTime(1000)
    expect(read().length).toBe(length)
  })

  it('writes nothing for what is over at once', () => {
    const { progress, read } = setUp({ live: true })
    play(progress, [started, { ...done, elapsedMs: 20 }])
    vi.advanceTimersByTime(1000)
    progress.stop()
    expect(read()).toBe('')
  })

  it.each([
    ['plugin p could not be imported: no', 'warning: plugin p could not be imported: no\n'],
    ['p refused', 'warning: p refused\n'],
    ['low disk of people', 'warning: p: low disk of people\n'],
    ['see /p/file', 'warning: p: see /p/file\n'],
  ])('names the plugin of the warning "%s" once', (message, shown) => {
    const { progress, read } = setUp()
    progress.onEvent({ type: 'warning', message, plugin: 'p' })
    expect(read()).toBe(shown)
  })
})
