import { EventEmitter } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { HolmError, isHolmError } from '@holm/core'
import type { LogChunk, UpResult } from '@holm/core'
import { createFakeHost } from '../test/fake-host.ts'
import type { OpenHost } from './host.ts'
import { runHolm } from '../test/run-holm.ts'
import { createInterrupts } from './interrupts.ts'

describe('interrupts', () => {
  it('aborts at the first Ctrl-C, says so, and ends with 130 when the host has cleaned up', async () => {
    const signals = new EventEmitter()
    const up = ({ signal }: { signal?: AbortSignal } = {}): Promise<UpResult> => {
      const { promise, reject } = Promise.withResolvers<UpResult>()
      signal?.addEventListener('abort', () => reject(signal.reason as Error))
      setImmediate(() => signals.emit('SIGINT', 'SIGINT'))
      return promise
    }
    const openHost: OpenHost = ({ onEvent }) => {
      onEvent({ type: 'step-started', environment: 'web', step: 'setup' })
      return Promise.resolve(createFakeHost({ up }))
    }
    const run = await runHolm(['up'], { openHost, signals })
    expect(run.stderr).toMatchInlineSnapshot(`
      "interrupted: stopping and cleaning up (Ctrl-C again within 2 s: stop at once)
      error HOLM_INTERRUPTED: interrupted by SIGINT
      "
    `)
    expect(run).toMatchObject({ code: 130, exits: [] })
    expect(signals.listenerCount('SIGINT')).toBe(0)
  })

  it('ends a command that follows without a word', async () => {
    const signals = new EventEmitter()
    async function* follow(): AsyncIterable<LogChunk> {
      yield { stream: 'stdout', data: Buffer.from('one\n') }
      signals.emit('SIGINT', 'SIGINT')
    }
    const run = await runHolm(['logs', '-f'], { host: { logs: follow }, signals })
    expect(run).toMatchObject({ code: 130, stdout: 'one\n', stderr: '' })
  })

  it('ends at once at a second one within two seconds, aborts again after that', () => {
    const source = new EventEmitter()
    const exits: number[] = []
    const said: string[] = []
    let time = 0
    const interrupts = createInterrupts({
      source,
      say: (text) => void said.push(text),
      exit: (code) => void exits.push(code),
      now: () => time,
    })
    source.emit('SIGINT', 'SIGINT')
    time = 2500
    source.emit('SIGINT', 'SIGINT')
    expect(exits).toEqual([])
    time = 3000
    source.emit('SIGINT', 'SIGINT')
    expect(exits).toEqual([130])
    expect(said).toEqual([
      'interrupted: stopping and cleaning up (Ctrl-C again within 2 s: stop at once)',
      'still cleaning up (Ctrl-C again within 2 s: stop at once)',
    ])
    expect(isHolmError(interrupts.signal.reason, 'HOLM_INTERRUPTED')).toBe(true)
  })

  it('are what an escaped error is, too: it aborts, and is the error and the exit code in the end', async () => {
    const signals = new EventEmitter()
    const crash = new HolmError('HOLM_PLUGIN_CRASH', 'plugin p failed outside of any call: boom', {
      plugin: 'p',
    })
    const up = ({ signal }: { signal?: AbortSignal } = {}): Promise<UpResult> => {
      const { promise, reject } = Promise.withResolvers<UpResult>()
      signal?.addEventListener('abort', () => reject(new Error('ended in some other way')))
      setImmediate(() => signals.emit('escaped', crash))
      return promise
    }
    const openHost: OpenHost = ({ onEvent }) => {
      onEvent({ type: 'step-started', environment: 'web', step: 'setup' })
      return Promise.resolve(createFakeHost({ up }))
    }
    const run = await runHolm(['up'], { openHost, signals })
    expect(run.stderr).toBe(
      'something failed: stopping and cleaning up\nerror HOLM_PLUGIN_CRASH: plugin p failed outside of any call: boom\n',
    )
    expect(run).toMatchObject({ code: 4, exits: [] })
  })

  it('end holm where the clean-up after an escaped error hangs', () => {
    vi.useFakeTimers()
    const source = new EventEmitter()
    const exits: number[] = []
    const said: string[] = []
    createInterrupts({ source, say: (text) => void said.push(text), exit: (code) => void exits.push(code) })
    source.emit('escaped', new HolmError('HOLM_BUG', 'boom'))
    vi.advanceTimersByTime(20_000)
    expect(exits).toEqual([70])
    expect(said).toEqual(['something failed: stopping and cleaning up', 'not cleaned up within 20 s: boom'])
    vi.useRealTimers()
  })

  it('ends without a word when nobody reads the output', () => {
    const source = new EventEmitter()
    const exits: number[] = []
    const said: string[] = []
    const interrupts = createInterrupts({
      source,
      say: (text) => void said.push(text),
      exit: (code) => void exits.push(code),
    })
    source.emit('SIGPIPE', 'SIGPIPE')
    expect({ exits, said, aborted: interrupts.signal.aborted }).toEqual({
      exits: [141],
      said: [],
      aborted: false,
    })
  })
})
