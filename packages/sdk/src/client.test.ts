import { expect, it } from 'vitest'
import { fromBase64, toBase64 } from './base64.ts'
import { createClient } from './client.ts'
import { isRemoteError } from './errors.ts'
import type { Incoming } from './protocol.ts'
import { nextDelay } from './reconnect.ts'
import type { OpenTransport, TransportEvents } from './transport.ts'

interface Sent {
  readonly id?: number
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
}

/** A server that is a list: what was sent, and what is to come. */
function createWire(): {
  readonly open: OpenTransport
  readonly sent: Sent[]
  answer(message: Omit<Incoming, 'jsonrpc'>): void
  drop(): void
} {
  let events: TransportEvents | undefined
  const sent: Sent[] = []
  return {
    sent,
    async open(given) {
      events = given
      return { send: (text) => void sent.push(JSON.parse(text) as Sent), close: () => given.closed('closed') }
    },
    answer: (message) => events?.message(JSON.stringify({ jsonrpc: '2.0', ...message })),
    drop: () => events?.closed('dropped'),
  }
}

/** Until what was asked for in other promises is through. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

it('turns bytes into text and back', () => {
  const bytes = Uint8Array.from({ length: 100_001 }, (_, index) => index % 256)
  expect(fromBase64(toBase64(bytes))).toEqual(bytes)
  expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'))
  expect(fromBase64('')).toHaveLength(0)
})

it('waits longer each time, and never too long', () => {
  const delays = [0, 1, 2, 3, 50].map((attempt) =>
    nextDelay(attempt, { firstDelayMs: 100, maximumDelayMs: 500 }, () => 0),
  )
  expect(delays).toEqual([100, 200, 400, 500, 500])
  expect(nextDelay(0, { firstDelayMs: 100 }, () => 1)).toBe(75)
})

it('matches answers to calls, in any order', async () => {
  const wire = createWire()
  const client = await createClient(wire.open)
  const calls = Promise.all([
    client.call('fs.exists', { environment: 'a', path: '1' }),
    client.call('fs.exists', { environment: 'a', path: '2' }),
  ])
  await settle()
  wire.answer({ id: 2, result: { exists: true } })
  wire.answer({ id: 77, result: null })
  wire.answer({ id: 1, result: { exists: false } })
  expect(await calls).toEqual([{ exists: false }, { exists: true }])
})

it('gives up after its time, and tells the server', async () => {
  const wire = createWire()
  const client = await createClient(wire.open)
  const call = client.call('session.info', {}, { timeoutMs: 5 }).catch((error: unknown) => error)
  expect(isRemoteError(await call, 'HOLM_TIMEOUT')).toBe(true)
  expect(wire.sent.at(-1)).toMatchObject({ method: 'session.cancel', params: { id: 1 } })
})

it('acknowledges output when it is read', async () => {
  const wire = createWire()
  const client = await createClient(wire.open)
  const started = client.exec({ environment: 'a', argv: ['x'], window: 4096 })
  await settle()
  wire.answer({ id: 1, result: { execution: 'e' } })
  // In one go with the answer, before anybody could have listened.
  const data = Buffer.alloc(3000, 'y').toString('base64')
  wire.answer({ method: 'exec.output', params: { execution: 'e', stream: 'stdout', data } })
  wire.answer({ method: 'exec.output', params: { execution: 'e', stream: 'stderr', data } })
  const running = await started
  await settle()
  const acknowledged = () =>
    wire.sent.filter(({ method }) => method === 'exec.acknowledge').map(({ params }) => params['bytes'])
  expect(acknowledged()).toEqual([])
  const reader = running.stdout.getReader()
  expect((await reader.read()).value).toHaveLength(3000)
  expect(acknowledged()).toEqual([3000])
  await running.stderr.cancel()
  expect(acknowledged()).toEqual([3000, 3000])
  wire.answer({ method: 'exec.ended', params: { execution: 'e', code: 4, timedOut: false } })
  expect((await reader.read()).done).toBe(true)
  expect(await running.exited).toEqual({ code: 4, timedOut: false })
})

it('breaks off what runs when the connection is lost', async () => {
  const wire = createWire()
  const client = await createClient(wire.open, { reconnect: false })
  const started = client.exec({ environment: 'a', argv: ['x'] })
  await settle()
  wire.answer({ id: 1, result: { execution: 'e' } })
  const running = await started
  const read = running.stdout
    .getReader()
    .read()
    .catch((error: unknown) => error)
  const call = client.call('session.info', {}).catch((error: unknown) => error)
  await settle()
  wire.drop()
  for (const error of [await read, await call, await running.exited.catch((each: unknown) => each)])
    expect(isRemoteError(error, 'HOLM_CONNECTION_LOST')).toBe(true)
  expect(client.state).toBe('closed')
})
