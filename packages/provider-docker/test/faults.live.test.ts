import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSpec, createTestContext } from '@holm/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { liveSkip, loadLiveBase, namespace, openLive } from './live.ts'

describe('docker, an engine that is not there', () => {
  let folder: string
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'holm-docker-faults-'))))
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('probe names the missing socket and the way to get one', async () => {
    const { provider } = openLive({ host: `unix://${folder}/none.sock` })
    expect(await provider.probe(createTestContext())).toMatchObject({
      usable: false,
      reason: `there is no engine socket at ${folder}/none.sock`,
      fix: expect.stringContaining('Docker'),
    })
    await expect(provider.list(createTestContext())).rejects.toMatchObject({
      code: 'HOLM_PROVIDER_UNAVAILABLE',
      hint: expect.any(String),
    })
  })

  it('probe gives up on an engine that says nothing', async () => {
    const path = join(folder, 'mute.sock')
    const sockets = new Set<{ destroy(): void }>()
    const server = createServer((socket) => void sockets.add(socket)).listen(path)
    const { provider, engine } = openLive({ host: `unix://${path}` })
    const started = performance.now()
    expect(await provider.probe(createTestContext())).toMatchObject({
      usable: false,
      reason: expect.stringContaining('does not answer'),
    })
    expect(performance.now() - started).toBeLessThan(20_000)
    engine.dispose()
    for (const socket of sockets) socket.destroy()
    server.close()
  })

  it('probe refuses an address through ssh with a way out', async () => {
    const { provider } = openLive({ host: 'ssh://box' })
    expect(await provider.probe(createTestContext())).toMatchObject({
      usable: false,
      fix: expect.stringContaining('DOCKER_HOST'),
    })
  })

  it('an engine that dies in the middle is an error with a cause, not a wait without end', async () => {
    const path = join(folder, 'dying.sock')
    const server = createServer((socket) => void socket.once('data', () => socket.destroy())).listen(path)
    const { provider, engine } = openLive({ host: `unix://${path}` })
    const base = { kind: 'image', reference: 'x:1' } as const
    await expect(provider.create(createSpec({ name: 'a', base }), createTestContext())).rejects.toMatchObject(
      { code: 'HOLM_PROVIDER_UNAVAILABLE', message: expect.stringContaining('was lost') },
    )
    engine.dispose()
    server.close()
  })
})

const reason = liveSkip()
if (reason) process.stderr.write(`faults.live: the killed engine is skipped: ${reason}\n`)

/** The engine behind a socket that can be cut: what a client sees when the engine is killed. */
async function openProxy(folder: string): Promise<{ host: string; kill(): Promise<void> }> {
  const path = join(folder, 'proxy.sock')
  const target = (process.env['HOLM_TEST_DOCKER_HOST'] ?? '').replace(/^unix:\/\//, '')
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const engine = connect(target)
    for (const socket of [client, engine]) {
      open.add(socket)
      socket.on('error', () => socket.destroy())
    }
    client.pipe(engine).pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    host: `unix://${path}`,
    async kill() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describe.skipIf(reason)('docker, an engine that is killed', () => {
  it('ends a running program and the next call with HOLM_PROVIDER_UNAVAILABLE', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holm-docker-killed-'))
    const space = namespace('killed')
    const proxy = await openProxy(folder)
    const { provider, engine } = openLive({ host: proxy.host, namespace: space })
    const spec = createSpec({ name: 'a', base: await loadLiveBase(), network: 'none' })
    await provider.create(spec, createTestContext())
    await provider.start('a', createTestContext())
    const program = await provider.exec(
      'a',
      { argv: ['sh', '-c', 'echo up; sleep 100'] },
      createTestContext(),
    )
    const rest = new Promise<void>((resolve) =>
      program.stdout
        .on('error', () => {})
        .once('close', resolve)
        .resume(),
    )
    program.stderr.on('error', () => {}).resume()
    await proxy.kill()
    await expect(program.exited).rejects.toMatchObject({ code: 'HOLM_PROVIDER_UNAVAILABLE' })
    await rest
    await expect(provider.list(createTestContext())).rejects.toMatchObject({
      code: 'HOLM_PROVIDER_UNAVAILABLE',
    })
    engine.dispose()
    const direct = openLive({ namespace: space })
    await direct.provider.remove('a', { volumes: true }, createTestContext())
    direct.engine.dispose()
    await rm(folder, { recursive: true })
  })
})
