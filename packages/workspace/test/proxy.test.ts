import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import { createWaker, type Waker } from '../src/pause/waker.ts'
import type { ProxyName } from '../src/proxy/names.ts'
import { startProxy, type RunningProxy } from '../src/proxy/server.ts'

/** Says its name, what it was asked for, and how it was called; echoes what an upgraded connection sends. */
async function startTarget(name: string): Promise<string> {
  const server = createServer((asked, answer) => {
    void text(asked).then((body) =>
      answer.end(`${name} ${asked.url} ${String(asked.headers['x-forwarded-host'])} ${body}`),
    )
  })
  server.on('upgrade', (_asked, socket) => {
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Started {
  readonly port?: number
  readonly wake?: Waker
}

async function start(
  names: () => readonly ProxyName[],
  { port = 0, wake = async () => false }: Started = {},
): Promise<RunningProxy> {
  const controller = new AbortController()
  const { signal } = controller
  const proxy = await startProxy({ port, names: async () => names(), wake, signal })
  onTestFinished(async () => {
    controller.abort()
    await proxy.ended
  })
  return proxy
}

async function ask(
  { port }: RunningProxy,
  host: string,
  body = '',
): Promise<{ status: number | undefined; text: string }> {
  const headers = { host: `${host}:${port}` }
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  request({ port, host: '127.0.0.1', path: '/a?b=c', method: 'POST', headers }, resolve)
    .on('error', reject)
    .end(body)
  const answer = await promise
  return { status: answer.statusCode, text: await text(answer) }
}

it('leads every name to its own target, body and path included', async () => {
  const names = [
    { host: 'web.one.localhost', target: await startTarget('one') },
    { host: 'web.two.localhost', target: await startTarget('two') },
  ]
  const proxy = await start(() => names)
  const forwarded = (name: string): string => `web.${name}.localhost:${proxy.port}`
  await expect(ask(proxy, 'web.one.localhost', 'body')).resolves.toEqual({
    status: 200,
    text: `one /a?b=c ${forwarded('one')} body`,
  })
  await expect(ask(proxy, 'WEB.two.localhost.')).resolves.toMatchObject({
    status: 200,
    text: expect.stringMatching(/^two /),
  })
})

it('tells what there is for a name that nothing has, as text', async () => {
  const proxy = await start(() => [{ host: 'web.one.localhost', target: 'http://127.0.0.1:1' }])
  const { status, text: said } = await ask(proxy, 'nope.localhost')
  expect([status, said]).toEqual([
    404,
    `holm: nothing is called nope.localhost\nThere are:\n  http://web.one.localhost:${proxy.port}\n`,
  ])
  await expect(ask(proxy, 'web.one.localhost')).resolves.toMatchObject({
    status: 502,
    text: expect.stringContaining('it does not answer'),
  })
})

it('passes WebSockets on', async () => {
  const names = [{ host: 'one.localhost', target: await startTarget('one') }]
  const proxy = await start(() => names)
  const headers = { host: `one.localhost:${proxy.port}`, connection: 'Upgrade', upgrade: 'websocket' }
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  request({ port: proxy.port, host: '127.0.0.1', headers })
    .on('upgrade', (_answer, socket) => {
      socket.once('data', (data: Buffer) => {
        resolve(data.toString())
        socket.destroy()
      })
      socket.write('through and back')
    })
    .on('error', reject)
    .end()
  await expect(promise).resolves.toBe('through and back')
})

it('wakes what sleeps, once for all who ask at that moment, and nothing else', async () => {
  const target = await startTarget('one')
  let asleep = true
  const woken: string[] = []
  const idle = {
    uses: (name: string) => (name === 'one' ? { lastAt: 0, sessions: 0, asleep } : undefined),
    async wake(name: string) {
      woken.push(name)
      await new Promise((resolve) => setTimeout(resolve, 50))
      asleep = false
    },
  }
  const { signal } = new AbortController()
  const proxy = await start(() => (asleep ? [] : [{ host: 'web.one.localhost', target }]), {
    wake: createWaker(idle, signal),
  })
  await expect(ask(proxy, 'web.two.localhost')).resolves.toMatchObject({ status: 404 })
  const answers = await Promise.all(['a', 'b', 'c'].map((body) => ask(proxy, 'web.one.localhost', body)))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  await expect(ask(proxy, 'web.one.localhost')).resolves.toMatchObject({ status: 200 })
  expect(woken).toEqual(['one'])
})

it('says why what sleeps could not be woken', async () => {
  const proxy = await start(() => [], {
    wake: () => Promise.reject(new Error('the engine is gone')),
  })
  await expect(ask(proxy, 'web.one.localhost')).resolves.toMatchObject({
    status: 502,
    text: expect.stringContaining('the engine is gone'),
  })
})

it('says that its port is taken', async () => {
  const { port } = await start(() => [])
  await expect(start(() => [], { port })).rejects.toMatchObject({
    code: 'HOLM_PORT_TAKEN',
    details: { port },
  })
})
