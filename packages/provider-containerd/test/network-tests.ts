import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { collect, createSpec, createTestContext, tap, waitFor } from '@holm/testkit'
import type { TestContext } from '@holm/testkit'
import type { Base, EnvironmentSpec } from '@holm/core'
import { expect, it } from 'vitest'
import { placeOf } from '../src/networks.ts'
import { runner } from './live.ts'
import type { Live } from './live.ts'

/** Generous: a busy machine takes its time. */
const limits = { timeout: 300_000 }
const stop = { graceMs: 0 }
const port = { container: 8000, hostIp: '127.0.0.1', protocol: 'tcp' } as const

/** Tests of named networks, in a namespace that may have other environments. */
export function testNetworks(given: () => { readonly live: Live; readonly base: Base }): void {
  function context(): TestContext {
    return createTestContext({ runner })
  }

  async function up(name: string, overrides: Partial<EnvironmentSpec> = {}): Promise<void> {
    const { live, base } = given()
    await live.provider.create(createSpec({ name, hostname: name, base, ...overrides }), context())
    await live.provider.start(name, context())
  }

  function remove(name: string): Promise<void> {
    return given().live.provider.remove(name, { volumes: true }, context())
  }

  async function shell(name: string, script: string): Promise<string> {
    const process = await given().live.provider.exec(name, { argv: ['sh', '-c', script] }, context())
    const { text, errorText } = await collect(process)
    return (text + errorText).trim()
  }

  /** What of a network is on this machine: its rules, its bridge, its files. */
  async function remains(network: string): Promise<readonly string[]> {
    const { bridge, folder } = placeOf(given().live.engine.folder, network)
    const { stdout } = await runner.run(['iptables-save'])
    return [
      ...stdout.split('\n').filter((line) => line.includes(bridge)),
      ...(await readdir('/sys/class/net')).filter((device) => device === bridge),
      ...(existsSync(folder) ? [folder] : []),
    ]
  }

  it(
    'named networks lead to each other by name and address, to no other network, and go with their last environment',
    limits,
    async () => {
      const { live } = given()
      await up('web', { network: 'front', aliases: ['www'], ports: [port] })
      await up('client', { network: 'front' })
      await up('stranger', { network: 'back' })
      await up('plain')
      const argv = ['python3', '-u', '-m', 'http.server', '8000', '-d', '/etc']
      const server = await live.provider.exec('web', { argv }, context())
      server.stderr.resume()
      await once(server.stdout, 'data')
      const [, address = ''] = /^(\S+)\s+web/.exec(await shell('client', 'getent -s files hosts web')) ?? []
      expect(address).toMatch(/^10\.\d+\.\d+\.\d+$/)
      expect(await shell('web', 'getent -s files hosts client')).not.toBe('')
      const get = (host: string): string =>
        `python3 -c 'import sys,urllib.request as u; print(u.urlopen("http://${host}:8000/hostname", timeout=30).read().decode())'`
      for (const host of ['web', 'www', address]) expect(await shell('client', get(host))).toBe('web')
      const [binding] = (await live.provider.inspect('web', context())).ports
      const answer = await fetch(`http://127.0.0.1:${binding?.host}/hostname`)
      expect((await answer.text()).trim()).toBe('web')
      for (const name of ['stranger', 'plain']) {
        expect(
          await shell(name, `getent -s files hosts web || getent -s files hosts www || echo unknown`),
        ).toBe('unknown')
        const knock = get(address).replace('timeout=30', 'timeout=1')
        expect(await shell(name, knock)).toMatch(/timed out|unreachable/)
      }
      await server.kill('SIGKILL')

      // Who leaves is forgotten, who comes back is known again, and what was written by hand stays.
      await shell('web', 'echo "192.0.2.1 mine.test" >> /etc/hosts')
      await live.provider.stop('client', stop, context())
      expect(await shell('web', 'getent -s files hosts client || echo unknown')).toBe('unknown')
      await live.provider.start('client', context())
      expect(await shell('web', 'getent -s files hosts client mine.test')).toMatch(
        /client\n192\.0\.2\.1 +mine\.test$/,
      )

      expect((await live.networks()).toSorted()).toEqual(['back', 'front'])
      await remove('stranger')
      expect(await remains('back')).toEqual([])
      await remove('web')
      expect(await live.networks()).toEqual(['front'])
      await remove('client')
      await remove('plain')
      expect(await remains('front')).toEqual([])
      expect(existsSync(path.join(live.engine.folder, 'networks'))).toBe(false)
    },
  )

  it('named networks of a holm that was killed go on or go away', limits, async () => {
    const { live, base } = given()
    const victim = fileURLToPath(new URL('victim.ts', import.meta.url))
    const { namespace, address, folder } = live.engine
    const data = path.dirname(path.dirname(folder))
    const words = JSON.stringify({ namespace, data, address, base, name: 'victim', network: 'killed' })
    const child = spawn(process.execPath, ['--conditions=holm-source', victim, words], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const out = tap(child.stdout)
    const { bridge } = placeOf(folder, 'killed')
    await waitFor(() => existsSync(`/sys/class/net/${bridge}`), { what: 'the bridge', deadlineMs: 60_000 })
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    expect(out.text()).toContain('begin')

    // In the middle of its start: started again, and found by a neighbour.
    expect((await live.provider.start('victim', context())).status).toBe('running')
    await up('friend', { network: 'killed' })
    expect(await shell('friend', 'getent -s files hosts victim')).toMatch(/^10\.\d+\.\d+\.\d+ +/)
    await remove('friend')
    expect(await live.networks()).toEqual(['killed'])

    // Between the end of the last environment and that of its network.
    await live.provider.stop('victim', stop, context())
    const client = await live.engine.client()
    await client.call('Containers.Delete', { id: 'victim' })
    expect((await remains('killed')).length).toBeGreaterThan(5)
    await up('next')
    expect(await remains('killed')).toEqual([])
    await remove('next')
  })
}
