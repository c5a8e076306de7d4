import { randomBytes } from 'node:crypto'
import { PassThrough, Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it, vi } from 'vitest'
import { HolmError } from '@holm/core'
import { createFakeProcess } from '../../test/fake-process.ts'
import type { Streams } from '../streams.ts'
import { attachProcess } from './attach.ts'

type Handler = (signal: NodeJS.Signals) => void

function setUp(parts: Partial<Streams> = {}): {
  streams: Streams & { stdin: PassThrough; stdout: PassThrough }
  signals: { handler: Handler | undefined }
  takeSignals: (handler: Handler) => () => void
} {
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough(), ...parts }
  const signals: { handler: Handler | undefined } = { handler: undefined }
  const takeSignals = (handler: Handler): (() => void) => {
    signals.handler = handler
    return () => {
      signals.handler = undefined
    }
  }
  return { streams: streams as never, signals, takeSignals }
}

describe('attachProcess', () => {
  it('passes bytes unchanged both ways and the end of stdin', async () => {
    const program = createFakeProcess()
    const { streams, takeSignals } = setUp()
    const sent = randomBytes(300_000)
    const attached = attachProcess(program, { streams, pty: false, takeSignals })
    // The fake echoes its input, as cat does.
    program.stdin.pipe(program.stdout, { end: false })
    program.stdin.once('end', () => program.end({ code: 3 }))
    streams.stdin.end(sent)
    const received = buffer(streams.stdout)
    expect(await attached).toEqual({ code: 3 })
    streams.stdout.end()
    expect((await received).equals(sent)).toBe(true)
  })

  it('stops reading from the program while the reader is slow', async () => {
    const program = createFakeProcess()
    const writes: (() => void)[] = []
    const slow = new Writable({
      highWaterMark: 1,
      write: (_chunk, _encoding, done) => void writes.push(done),
    })
    const { streams, takeSignals } = setUp({ stdout: slow })
    const attached = attachProcess(program, { streams, pty: false, takeSignals })
    program.stdout.write('a'.repeat(10))
    await vi.waitFor(() => expect(writes).toHaveLength(1), 30_000)
    expect(program.stdout.isPaused()).toBe(true)
    writes.shift()?.()
    await vi.waitFor(() => expect(program.stdout.isPaused()).toBe(false), 30_000)
    program.end({ code: 0 })
    expect(await attached).toEqual({ code: 0 })
  })

  it('forwards signals and gives them back at the end', async () => {
    const program = createFakeProcess()
    const { streams, signals, takeSignals } = setUp()
    const attached = attachProcess(program, { streams, pty: false, takeSignals })
    signals.handler?.('SIGINT')
    signals.handler?.('SIGTERM')
    program.end({ code: 143, signal: 'SIGTERM' })
    expect(await attached).toEqual({ code: 143, signal: 'SIGTERM' })
    expect(program.killed).toEqual(['SIGINT', 'SIGTERM'])
    expect(signals.handler).toBeUndefined()
  })

  it('ends the program with SIGPIPE when nobody reads any more, and drains it', async () => {
    const program = createFakeProcess()
    const { streams, signals, takeSignals } = setUp()
    const attached = attachProcess(program, { streams, pty: false, takeSignals })
    streams.stdout.destroy()
    signals.handler?.('SIGPIPE')
    program.stdout.write('y\n'.repeat(100_000))
    program.end({ code: 141 })
    expect(await attached).toEqual({ code: 141 })
    expect(program.killed).toEqual(['SIGPIPE'])
  })

  it('survives a program that closes its stdin early', async () => {
    const program = createFakeProcess()
    const { streams, takeSignals } = setUp()
    const attached = attachProcess(program, { streams, pty: false, takeSignals })
    streams.stdin.write('unread')
    program.stdin.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    program.end({ code: 0 })
    expect(await attached).toEqual({ code: 0 })
  })

  it('uses raw mode with a pty, follows the size, and restores the terminal when the connection is lost', async () => {
    const program = createFakeProcess()
    const raw: boolean[] = []
    const { streams, takeSignals } = setUp()
    Object.assign(streams.stdin, { isTTY: true, setRawMode: (mode: boolean) => void raw.push(mode) })
    Object.assign(streams.stdout, { isTTY: true, columns: 100, rows: 30 })
    const attached = attachProcess(program, { streams, pty: true, takeSignals })
    Object.assign(streams.stdout, { columns: 120 })
    streams.stdout.emit('resize')
    const failure = new HolmError('HOLM_PROVIDER_UNAVAILABLE', 'the engine went away')
    program.lose(failure)
    await expect(attached).rejects.toBe(failure)
    expect(raw).toEqual([true, false])
    expect(program.sizes).toEqual([
      { cols: 100, rows: 30 },
      { cols: 120, rows: 30 },
    ])
    expect(streams.stdout.listenerCount('resize')).toBe(0)
  })
})
