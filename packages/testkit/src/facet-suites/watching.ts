import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { isHolmError, requireFacet, type LogsOptions, type PortRequest } from '@holm/core'
import { tap, type Tap } from '../collect.ts'
import { assertRejects } from '../kit/expect.ts'
import type { Kit, Suite } from '../kit/kit.ts'
import { waitFor, within } from '../kit/wait-for.ts'
import { assertJson } from '../suites/lifecycle.ts'

const unknown = 't-never-made'
const notFound = ['HOLM_ENVIRONMENT_NOT_FOUND'] as const
const stop = { graceMs: 2000 }

export const logsSuite: Suite = {
  name: 'logs',
  checks: {
    'what the main process wrote is read, in order': async (kit) => {
      const name = await kit.start()
      await writeLog(kit, name, 'first line')
      await writeLog(kit, name, 'second line ✓')
      await waitFor(async () => /first line\n(.*\n)*second line ✓\n/.test(await readLog(kit, name)), {
        what: 'both lines in the log',
      })
    },
    'tail gives the last lines only': async (kit) => {
      const name = await kit.start()
      for (const line of ['one', 'two', 'three']) await writeLog(kit, name, line)
      await waitFor(async () => (await readLog(kit, name)).includes('three'), { what: 'the third line' })
      assert.equal(await readLog(kit, name, { follow: false, tail: 2 }), 'two\nthree\n')
      assert.equal(await readLog(kit, name, { follow: false, tail: 0 }), '')
    },
    'follow shows new lines and ends with the environment': async (kit) => {
      const name = await kit.start()
      const seen: string[] = []
      const reading = readLog(kit, name, { follow: true, seen })
      await writeLog(kit, name, 'while following')
      await waitFor(() => seen.join('').includes('while following'), { what: 'a followed line' })
      await kit.provider.stop(name, stop, kit.context())
      await within(reading, { what: 'the end of a followed log after stop' })
    },
    'follow ends with an abort': async (kit) => {
      const name = await kit.start()
      const controller = new AbortController()
      const seen: string[] = []
      const reading = readLog(kit, name, { follow: true, seen, signal: controller.signal })
      await writeLog(kit, name, 'before the abort')
      await waitFor(() => seen.length > 0, { what: 'a followed line' })
      controller.abort()
      await within(
        reading.catch(() => undefined),
        { what: 'the end of a followed log after an abort' },
      )
    },
    'the log of a stopped environment can be read': async (kit) => {
      const name = await kit.start()
      await writeLog(kit, name, 'before stop')
      await kit.provider.stop(name, stop, kit.context())
      assert.match(await readLog(kit, name), /before stop/)
    },
    'an unknown name is refused': (kit) => assertRejects(readLog(kit, unknown), notFound, 'read'),
  },
}

async function writeLog(kit: Kit, name: string, line: string): Promise<void> {
  const argv = kit.options.logCommand?.(line) ?? [
    'sh',
    '-c',
    'printf "%s\\n" "$1" > /proc/1/fd/1',
    'sh',
    line,
  ]
  await kit.output(name, { argv, cwd: '/' })
}

type ReadOptions = LogsOptions & { readonly seen?: string[]; readonly signal?: AbortSignal }

async function readLog(
  kit: Kit,
  name: string,
  { seen = [], signal, ...options }: ReadOptions = { follow: false },
): Promise<string> {
  const logs = requireFacet(kit.provider, 'logs')
  for await (const { stream, data } of logs.read(name, options, kit.context(signal))) {
    assert.ok(stream === 'stdout' || stream === 'stderr', `stream ${stream}`)
    seen.push(Buffer.from(data).toString('utf8'))
  }
  return seen.join('')
}

export const portsSuite: Suite = {
  name: 'ports',
  checks: {
    'a port without a wish gets a free one of this machine': async (kit) => {
      const request = await requestPort(kit)
      const name = await kit.start({ ports: [request] })
      const [binding, ...others] = await listPorts(kit, name)
      assert.deepEqual(others, [])
      assert.equal(binding?.container, request.container)
      assert.equal(binding?.hostIp, '127.0.0.1')
      assert.equal(binding?.protocol, 'tcp')
      assert.ok((binding?.host ?? 0) > 0, 'port of this machine')
      assert.deepEqual((await kit.inspect(name)).ports, [binding], 'state.ports says the same')
    },
    'a wished port is taken': async (kit) => {
      const { name, host } = await startOnPort(kit)
      assert.deepEqual(
        (await listPorts(kit, name)).map((each) => each.host),
        [host],
      )
    },
    'a stopped environment has none, and gets them again': async (kit) => {
      const host = await findFreePort()
      const container = kit.provider.traits.mapsPorts ? 8080 : host
      const name = await kit.create({ ports: [{ container, host, hostIp: '127.0.0.1', protocol: 'tcp' }] })
      assert.deepEqual(await listPorts(kit, name), [])
      await kit.provider.start(name, kit.context())
      assert.equal((await listPorts(kit, name)).length, 1)
      await kit.provider.stop(name, stop, kit.context())
      assert.deepEqual(await listPorts(kit, name), [])
      assert.deepEqual((await kit.inspect(name)).ports, [])
      await kit.provider.start(name, kit.context())
      assert.deepEqual(
        (await listPorts(kit, name)).map((each) => each.host),
        [host],
      )
    },
    'a port in use is HOLM_PORT_TAKEN': async (kit) => {
      if (!kit.provider.traits.mapsPorts) kit.skip('traits.mapsPorts is false: nothing is published')
      const { port, close } = await listenSomewhere()
      kit.onTidy(close)
      const request: PortRequest = { container: 8080, host: port, hostIp: '127.0.0.1', protocol: 'tcp' }
      await assertRejects(kit.start({ ports: [request] }), ['HOLM_PORT_TAKEN'], 'create and start')
    },
    'without ports there are none': async (kit) => {
      assert.deepEqual(await listPorts(kit, await kit.shared()), [])
    },
    'an unknown name is refused': (kit) => assertRejects(listPorts(kit, unknown), notFound, 'list'),
  },
}

function listPorts(kit: Kit, name: string): ReturnType<ReturnType<typeof requireFacet<'ports'>>['list']> {
  return requireFacet(kit.provider, 'ports').list(name, kit.context())
}

/** A free port may be somebody else's a moment later: then another is wished for. */
async function startOnPort(kit: Kit): Promise<{ readonly name: string; readonly host: number }> {
  for (let tries = 5; ; tries -= 1) {
    const host = await findFreePort()
    const container = kit.provider.traits.mapsPorts ? 8080 : host
    try {
      const name = await kit.start({ ports: [{ container, host, hostIp: '127.0.0.1', protocol: 'tcp' }] })
      return { name, host }
    } catch (error) {
      if (tries === 1 || !isHolmError(error, 'HOLM_PORT_TAKEN')) throw error
    }
  }
}

async function requestPort({ provider }: Kit): Promise<PortRequest> {
  const container = provider.traits.mapsPorts ? 8080 : await findFreePort()
  return { container, hostIp: '127.0.0.1', protocol: 'tcp' }
}

async function findFreePort(): Promise<number> {
  const { port, close } = await listenSomewhere()
  await close()
  return port
}

function listenSomewhere(): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer()
  const close = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()))
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: 0, host: '127.0.0.1' }, () => {
      const address = server.address()
      resolve({ port: typeof address === 'object' && address ? address.port : 0, close })
    })
  })
}

export const metricsSuite: Suite = {
  name: 'metrics',
  checks: {
    'a sample is measured and plausible': async (kit) => {
      const name = await kit.start()
      await kit.output(name, ['sh', '-c', 'sleep 307 >/dev/null 2>&1 </dev/null &'])
      const sample = await takeSample(kit, name)
      assertJson(sample, 'sample')
      assert.ok(sample.cpuPercent >= 0 && sample.cpuPercent < 100_000, `cpuPercent ${sample.cpuPercent}`)
      assert.ok(sample.memoryBytes > 0, `memoryBytes ${sample.memoryBytes}`)
      assert.ok(Number.isInteger(sample.processes) && sample.processes >= 1, `processes ${sample.processes}`)
    },
    'a busy program shows': async (kit) => {
      const name = await kit.start()
      await kit.output(name, ['sh', '-c', 'while :; do :; done >/dev/null 2>&1 </dev/null &'])
      await waitFor(async () => (await takeSample(kit, name)).cpuPercent > 10, {
        what: 'more than 10 % of a core',
      })
    },
    'an interval of at least 100 ms is measured': async (kit) => {
      const name = await kit.shared()
      // A provider may answer at once from a counter it watched before, but it does not watch for long.
      const sample = await within(takeSample(kit, name), { what: 'a sample' })
      assert.ok(sample.cpuPercent >= 0, `cpuPercent ${sample.cpuPercent}`)
    },
    'an unknown name is refused': (kit) => assertRejects(takeSample(kit, unknown), notFound, 'sample'),
  },
}

function takeSample(
  kit: Kit,
  name: string,
): ReturnType<ReturnType<typeof requireFacet<'metrics'>>['sample']> {
  return requireFacet(kit.provider, 'metrics').sample(name, kit.context())
}

/** How long a frozen program is watched. Longer proves more; a ticking one writes every 50 ms. */
const watchMs = 500

/** What was heard in all, when nothing came meanwhile. */
async function silentFor(out: Tap, ms: number): Promise<number | undefined> {
  const before = out.bytes()
  await sleep(ms)
  return out.bytes() === before ? before : undefined
}

export const pauseSuite: Suite = {
  name: 'pause',
  checks: {
    'pause freezes and resume thaws, memory kept': async (kit) => {
      const pause = requireFacet(kit.provider, 'pause')
      const name = await kit.start()
      const process = await kit.exec(name, ['sh', '-c', 'while :; do echo tick; sleep 0.05; done'])
      process.exited.catch(() => undefined)
      const out = tap(process.stdout)
      process.stderr.resume()
      await waitFor(() => out.bytes() > 0, { what: 'the first tick' })
      for (let round = 0; round < kit.repeat; round += 1) {
        assert.equal((await pause.pause(name, kit.context())).status, 'paused')
      }
      assert.equal((await kit.inspect(name)).status, 'paused')
      // What it wrote before it was frozen may still be on its way.
      const before = await waitFor(() => silentFor(out, watchMs), { what: 'a frozen program to be silent' })
      for (let round = 0; round < kit.repeat; round += 1) {
        assert.equal((await pause.resume(name, kit.context())).status, 'running')
      }
      await waitFor(() => out.bytes() > before, { what: 'a tick after resume' })
    },
    'exec in a paused environment is refused': async (kit) => {
      const name = await kit.start()
      await requireFacet(kit.provider, 'pause').pause(name, kit.context())
      await assertRejects(kit.exec(name, ['true']), ['HOLM_ENVIRONMENT_NOT_RUNNING'], 'exec')
    },
    'a paused environment can be stopped and removed': async (kit) => {
      const pause = requireFacet(kit.provider, 'pause')
      const name = await kit.start()
      await pause.pause(name, kit.context())
      assert.equal((await kit.provider.stop(name, stop, kit.context())).status, 'stopped')
      await kit.provider.start(name, kit.context())
      await pause.pause(name, kit.context())
      await kit.provider.remove(name, { volumes: true }, kit.context())
      assert.equal((await kit.inspect(name)).status, 'absent')
    },
    'a stopped environment is refused': async (kit) => {
      const pause = requireFacet(kit.provider, 'pause')
      const name = await kit.create()
      await assertRejects(pause.pause(name, kit.context()), ['HOLM_ENVIRONMENT_NOT_RUNNING'], 'pause')
    },
    'an unknown name is refused': async (kit) => {
      const pause = requireFacet(kit.provider, 'pause')
      await assertRejects(pause.pause(unknown, kit.context()), notFound, 'pause')
      await assertRejects(pause.resume(unknown, kit.context()), notFound, 'resume')
    },
  },
}
