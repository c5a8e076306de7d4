import { createConnection } from 'node:net'
import { request } from 'node:http'
import { statSync, writeFileSync } from 'node:fs'
import { connect } from '@holm/sdk'
import { connectSocket } from '@holm/sdk/node'
import { waitFor, within } from '@holm/testkit'
import { describe, expect, it } from 'vitest'
import { refusal, setStage, type Stage } from './stage.ts'

/** Sends lines over the unix socket and gives back everything until it is closed. */
async function talk(stage: Stage, ...lines: readonly string[]): Promise<string> {
  const socket = createConnection(stage.socket)
  let said = ''
  socket.on('data', (chunk) => (said += chunk.toString()))
  // One that was closed at once cannot be written to.
  socket.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  for (const line of lines) socket.write(`${line}\n`)
  await within(closed, { what: 'the server to close the connection', deadlineMs: 30_000 })
  return said
}

/** Status of an upgrade with these headers. */
async function upgrade(stage: Stage, headers: Record<string, string>, path = '/'): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const asked = request(`${stage.url.replace('ws', 'http')}${path}`, {
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
    },
  })
  asked.on('response', (response) => {
    response.resume()
    resolve(response.statusCode ?? 0)
  })
  asked.on('upgrade', (_response, socket) => {
    socket.destroy()
    resolve(101)
  })
  asked.on('error', reject)
  asked.end()
  return promise
}

const greeting = (token: string): string =>
  JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'session.authenticate', params: { token } })

describe('the token', () => {
  it('is asked for on the unix socket', async () => {
    const stage = await setStage()
    expect(statSync(stage.socket).mode & 0o777).toBe(0o600)
    const info = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'session.info' })
    expect(await talk(stage, greeting('wrong'))).toContain('"code":-32001')
    expect(await talk(stage, info, greeting(stage.token.value))).toMatch(/^[^\n]*"code":-32002[^\n]*\n$/)
    expect(await talk(stage, 'GET / HTTP/1.1')).toContain('"code":-32700')
    const wrong = refusal(connectSocket({ socket: stage.socket, token: 'x'.repeat(43) }))
    expect(await wrong).toMatchObject({ rpcCode: -32_001, code: 'HOLM_TOKEN_INVALID' })
  })

  it('is asked for on a WebSocket, never in its address', async () => {
    const stage = await setStage({ origins: ['http://allowed.example'] })
    const { value } = stage.token
    const right = { authorization: `Bearer ${value}` }
    expect(await upgrade(stage, right)).toBe(101)
    expect(await upgrade(stage, { 'sec-websocket-protocol': `holm.v1, holm.token.${value}` })).toBe(101)
    expect(await upgrade(stage, { ...right, origin: 'http://allowed.example' })).toBe(101)
    expect(await upgrade(stage, {})).toBe(401)
    expect(await upgrade(stage, { authorization: `Bearer ${value}x` })).toBe(401)
    expect(await upgrade(stage, {}, `/?token=${value}`)).toBe(404)
    expect(await upgrade(stage, { ...right, origin: 'http://allowed.example.evil' })).toBe(403)
    expect(await upgrade(stage, { ...right, origin: 'null' })).toBe(403)
    expect(await upgrade(stage, { ...right, host: 'rebound.example' })).toBe(403)
    const closed = refusal(connect({ url: stage.url, token: 'wrong' }))
    expect(await closed).toMatchObject({ code: 'HOLM_CONNECTION_LOST' })
  })
})

describe('limits', () => {
  it('hold for the length of a message', async () => {
    const stage = await setStage({ limits: { messageBytes: 70_000 } })
    const long = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'x'.repeat(80_000) })
    expect(await talk(stage, greeting(stage.token.value), long)).toContain('longer than 70000 bytes')
    const client = await stage.client('websocket', { reconnect: false })
    const call = client.call as (method: string, params: object) => Promise<unknown>
    expect(await refusal(call('x'.repeat(80_000), {}))).toMatchObject({ code: 'HOLM_CONNECTION_LOST' })
    expect(client.state).toBe('closed')
  })

  it('hold for the length of an answer', async () => {
    const stage = await setStage({ limits: { messageBytes: 70_000, chunkBytes: 1_000_000 } })
    await stage.host.up({})
    stage.write('big', 'x'.repeat(90_000))
    const client = await stage.client('socket')
    const big = client.call('fs.readFile', { environment: 'demo', path: 'big' })
    expect(await refusal(big)).toMatchObject({ rpcCode: -32_007, code: 'HOLM_LIMIT_REACHED' })
    expect((await client.call('session.info', {})).protocol).toBe(1)
  })

  it('hold for what runs at once', async () => {
    const stage = await setStage({ limits: { callsAtOnce: 2, executionsAtOnce: 1, subscriptionsAtOnce: 1 } })
    await stage.host.up({})
    const client = await stage.client('socket')
    const argv = ['sleep', '600']
    const first = await client.exec({ environment: 'demo', argv })
    expect(await refusal(client.exec({ environment: 'demo', argv }))).toMatchObject({ rpcCode: -32_007 })
    await first.kill('SIGKILL')
    await first.exited
    await client.onEvent({}, () => undefined)
    expect(await refusal(client.onEvent({}, () => undefined))).toMatchObject({ rpcCode: -32_007 })
    const abort = new AbortController()
    const runs = [1, 2].map(() =>
      refusal(client.call('exec.run', { environment: 'demo', argv }, { signal: abort.signal })),
    )
    expect(await refusal(client.call('session.info', {}))).toMatchObject({ rpcCode: -32_007 })
    abort.abort()
    await Promise.all(runs)
  })

  it('hold for the number of connections', async () => {
    const stage = await setStage({ limits: { connections: 1 } })
    const first = await stage.client('socket')
    expect(await upgrade(stage, { authorization: `Bearer ${stage.token.value}` })).toBe(503)
    expect(await talk(stage, greeting(stage.token.value))).toContain('too many connections')
    expect(await refusal(stage.client('socket'))).toMatchObject({ code: 'HOLM_LIMIT_REACHED' })
    first.close()
    const again = () => upgrade(stage, { authorization: `Bearer ${stage.token.value}` })
    await waitFor(async () => (await again()) === 101, { what: 'a place to be free', deadlineMs: 30_000 })
  })

  it('hold for the rate, and nothing is lost', async () => {
    const stage = await setStage({ limits: { messagesPerSecond: 20, callsAtOnce: 1000 } })
    const client = await stage.client('websocket')
    const since = performance.now()
    const answers = await Promise.all(Array.from({ length: 40 }, () => client.call('session.info', {})))
    expect(answers).toHaveLength(40)
    // 20 at once, and 20 more take a second.
    expect(performance.now() - since).toBeGreaterThan(900)
  })
})

it('refuses what is no request, and goes on', async () => {
  const stage = await setStage()
  const lines = [
    '{',
    '[]',
    '{"jsonrpc":"1.0","id":1,"method":"session.info"}',
    '{"jsonrpc":"2.0","id":{},"method":"session.info"}',
    '{"jsonrpc":"2.0","method":"session.info"}',
    'null',
    '{"jsonrpc":"2.0","id":"last","method":"session.info"}',
  ]
  const socket = createConnection(stage.socket)
  socket.write(`${[greeting(stage.token.value), ...lines].join('\n')}\n`)
  let said = ''
  socket.on('data', (chunk) => (said += chunk.toString()))
  await waitFor(() => said.includes('"id":"last"'), { what: 'the last answer', deadlineMs: 30_000 })
  socket.destroy()
  const codes = said
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { error?: { code: number } }).error?.code)
  expect(codes).toEqual([undefined, -32_700, -32_600, -32_600, -32_600, -32_600, undefined])
})

describe('a lost connection', () => {
  it('ends its programs', async () => {
    const stage = await setStage()
    await stage.host.up({})
    const client = await stage.client('socket', { reconnect: false })
    const script = 'trap "echo ended > ended; exit" TERM; touch begun; while :; do sleep 0.05; done'
    const running = await client.exec({ environment: 'demo', argv: ['sh', '-c', script] })
    const has = (path: string) => stage.host.exec({ environment: 'demo', argv: ['test', '-e', path] })
    const is = async (path: string): Promise<boolean> => {
      const test = await has(path)
      test.stdout.resume()
      test.stderr.resume()
      return (await test.exited).code === 0
    }
    await waitFor(() => is('begun'), { what: 'the program to begin', deadlineMs: 30_000 })
    client.close()
    expect(await refusal(running.exited)).toMatchObject({ code: 'HOLM_CONNECTION_LOST' })
    await waitFor(() => is('ended'), { what: 'the program to be ended', deadlineMs: 30_000 })
  })

  it.each(['websocket', 'socket'] as const)('is made anew over a %s, with its subscriptions', async (way) => {
    const stage = await setStage()
    await stage.host.up({})
    const states: string[] = []
    const client = await stage.client(way, {
      reconnect: { firstDelayMs: 20, maximumDelayMs: 100 },
      onState: (state) => void states.push(state),
    })
    const told: (readonly string[] | 'overflow')[] = []
    await client.watch({ environment: 'demo', path: '.' }, ({ paths, overflow }) =>
      told.push(overflow ? 'overflow' : paths),
    )
    const events: string[] = []
    await client.onEvent({ environment: 'demo' }, ({ event }) => void events.push(event.status ?? event.type))
    const running = await client.exec({ environment: 'demo', argv: ['sleep', '600'] })
    await stage.restart()
    // A server that ends in order ends its programs, and tells.
    expect(await running.exited).toMatchObject({ code: 143 })
    expect((await client.call('session.info', {}, { timeoutMs: 60_000 })).protocol).toBe(1)
    await waitFor(() => told.includes('overflow'), { what: 'the watch to go on', deadlineMs: 30_000 })
    writeFileSync(`${stage.project}/later`, 'x')
    await waitFor(() => told.some((each) => each.includes('later')), {
      what: 'a change after it',
      deadlineMs: 30_000,
    })
    await stage.host.stop('demo')
    await waitFor(() => events.includes('stopped'), { what: 'an event after it', deadlineMs: 30_000 })
    expect(states).toEqual(['connected', 'reconnecting', 'connected'])
  })

  it('is given up after the stated number of attempts', async () => {
    const stage = await setStage()
    const client = await stage.client('socket', {
      reconnect: { firstDelayMs: 5, maximumDelayMs: 10, attempts: 2 },
    })
    await stage.server.close('gone')
    await waitFor(() => client.state === 'closed', { what: 'it to be given up', deadlineMs: 30_000 })
    expect(await refusal(client.call('session.info', {}))).toMatchObject({ code: 'HOLM_CONNECTION_LOST' })
  })
})
