import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import { setStage } from '../../../test/memory-host.ts'
import { createHost } from '../create-host.ts'

/** Somebody who listens on a port that was free. */
async function occupy(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { port: (server.address() as AddressInfo).port, server }
}

it('gives a port to one, the same one again when it is free, and another to others', async () => {
  const stage = await setStage()
  const [one, two] = [await stage.open(), await stage.open()]
  const wish = { environment: 'web', container: 3000 }
  const first = await one.ports.lease(wish)
  expect(first.port).toBeGreaterThanOrEqual(32_800)
  expect(first.port).toBeLessThanOrEqual(34_999)
  expect(two.ports.leases()).toEqual([{ ...wish, port: first.port, since: expect.any(String) }])
  const second = await two.ports.lease(wish)
  expect(second.port).not.toBe(first.port)
  await first.release()
  await first.release()
  expect(one.ports.leases().map(({ port }) => port)).toEqual([second.port])
  await expect(two.ports.lease({ ...wish, port: second.port })).rejects.toMatchObject({
    code: 'HOLM_PORT_TAKEN',
    details: { port: second.port },
  })
})

it('gives no port that somebody listens on, and says when there is none', async () => {
  const stage = await setStage()
  const { port } = await occupy()
  const host = await stage.open({ overrides: { 'ports.first': port, 'ports.last': port } })
  const wish = { environment: 'web', container: 80 }
  await expect(host.ports.lease({ ...wish, port })).rejects.toMatchObject({ code: 'HOLM_PORT_TAKEN' })
  await expect(host.ports.lease(wish)).rejects.toMatchObject({
    code: 'HOLM_PORT_TAKEN',
    message: `no port from ${port} to ${port} is free`,
  })
})

it('gives an environment none that a program has, and a program none that an environment has', async () => {
  const stage = await setStage()
  const { port: first, server } = await occupy()
  await new Promise((resolve) => server.close(resolve))
  const host = await stage.open({ overrides: { 'ports.first': first, 'ports.last': first + 60 } })
  const before = [
    await host.ports.lease({ environment: 'a', container: 1 }),
    await host.ports.lease({ environment: 'a', container: 2 }),
  ].map(({ port }) => port)
  stage.blueprint('base: host\nports: [80, 81, 82]\n')
  await host.up()
  const { ports } = await host.status('web')
  const given = ports.map((each) => each.host)
  expect(new Set([...before, ...given]).size).toBe(5)
  await host.stop('web')
  const after = await Promise.all(
    [3, 4, 5, 6].map((container) => host.ports.lease({ environment: 'a', container })),
  )
  expect(new Set([...before, ...given, ...after.map(({ port }) => port)]).size).toBe(9)
})

const processes = 8

it(
  `never gives one port to two of ${processes} processes, some of which are killed`,
  { timeout: 120_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holm-leases-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const [home, referee] = [mkdtempSync(join(folder, 'home-')), mkdtempSync(join(folder, 'referee-'))]
    const { port: first } = await occupy()
    // Few enough to be fought for.
    const env = { ...process.env, HOLM_PORTS__FIRST: String(first), HOLM_PORTS__LAST: String(first + 24) }
    const program = new URL('../../../test/fixtures/lease-ports.ts', import.meta.url).pathname
    const ends = await Promise.all(
      Array.from({ length: processes }, async (_, index) => {
        const child = spawn(process.execPath, [program, home, referee, String(index + 1), '30'], {
          env,
          stdio: ['ignore', 'pipe', 'pipe'],
        })
        const closed = new Promise<string>((resolve) =>
          child.once('close', (code, signal) => resolve(signal ?? String(code))),
        )
        const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
        return { end: await closed, stderr, ...(JSON.parse(stdout || '{}') as { taken?: number }) }
      }),
    )
    expect(ends.map(({ end, stderr }) => [end, stderr])).toEqual(
      ends.map((_, index) => [index % 2 === 0 ? '0' : 'SIGKILL', '']),
    )
    expect(ends.reduce((sum, { taken = 0 }) => sum + taken, 0)).toBeGreaterThanOrEqual(processes)
    // What the killed ones had is free again: all the others gave theirs back.
    const host = await createHost({ cwd: home, env: { ...env, HOLM_HOME: home } })
    onTestFinished(() => host.close())
    expect(host.ports.leases()).toEqual([])
  },
)
