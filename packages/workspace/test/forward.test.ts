import { randomBytes } from 'node:crypto'
import { createServer, connect, type AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import type { ForwardEvent } from '../src/ports/forward-set.ts'
import { forwardPorts } from '../src/ports/forwarder.ts'
import type { PortWish } from '../src/ports/wish.ts'
import { setStage } from './stage.ts'

/** An echo that ends when it is told the end. */
async function startEcho(): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

async function forward(wishes: readonly PortWish[]) {
  const { host, repository } = await setStage()
  await host.up({ cwd: repository, name: 'one' })
  const controller = new AbortController()
  const events: ForwardEvent[] = []
  const opened = Promise.withResolvers<void>()
  const environment = await host.status('one')
  const ended = forwardPorts({
    host,
    environment,
    wishes,
    signal: controller.signal,
    emit: (event) => {
      events.push(event)
      if (events.filter((each) => each.event === 'forwarded').length === wishes.length) opened.resolve()
    },
  })
  ended.catch(opened.reject)
  onTestFinished(() => controller.abort())
  return { host, events, controller, ended, opened: opened.promise }
}

async function echo(port: number, sent: Buffer): Promise<Buffer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.end(sent)
  return buffer(socket)
}

it('brings bytes to a port inside and back, through a program there, and gives the port back', async () => {
  const inside = await startEcho()
  const { host, events, controller, ended, opened } = await forward([{ inside }])
  await opened
  const [first] = events
  if (first?.event !== 'forwarded') throw new Error('nothing was forwarded')
  expect(host.ports.leases()).toMatchObject([{ environment: 'one', container: inside, port: first.here }])
  const all = [randomBytes(300_000), randomBytes(10), Buffer.alloc(0)]
  const back = await Promise.all(all.map((bytes) => echo(first.here, bytes)))
  expect(back.map((bytes, index) => bytes.equals(all[index] ?? Buffer.alloc(1)))).toEqual([true, true, true])
  controller.abort()
  await ended
  expect(events.at(-1)).toEqual({ event: 'closed', environment: 'one', inside, here: first.here })
  expect(host.ports.leases()).toEqual([])
  await expect(echo(first.here, Buffer.from('x'))).rejects.toThrow('ECONNREFUSED')
})

it('wakes an environment that was put to sleep', async () => {
  const inside = await startEcho()
  const { host, events, opened } = await forward([{ inside }])
  await opened
  const [first] = events
  if (first?.event !== 'forwarded') throw new Error('nothing was forwarded')
  host.idle.watch('one')
  await expect
    .poll(() => host.idle.sleep('one', { unusedSince: Date.now() + 1000 }), { timeout: 30_000 })
    .toMatchObject({ status: 'paused' })
  const back = await Promise.all(['a', 'b'].map((text) => echo(first.here, Buffer.from(text))))
  expect(back.map(String)).toEqual(['a', 'b'])
  expect(await host.status('one')).toMatchObject({ status: 'running' })
})

it('resets a connection to what nobody listens on', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: inside } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  const { events, opened } = await forward([{ inside }])
  await opened
  const [first] = events
  if (first?.event !== 'forwarded') throw new Error('nothing was forwarded')
  await expect(echo(first.here, Buffer.from('x'))).rejects.toThrow(/ECONNRESET|EPIPE/)
})

it('says which port is taken, and keeps none of the others', async () => {
  const [inside, here] = [await startEcho(), await startEcho()]
  const { host, ended, opened } = await forward([{ inside }, { inside: 80, here }])
  await expect(opened).rejects.toMatchObject({ code: 'HOLM_PORT_TAKEN', details: { port: here } })
  await expect(ended).rejects.toMatchObject({ code: 'HOLM_PORT_TAKEN' })
  expect(host.ports.leases()).toEqual([])
})
