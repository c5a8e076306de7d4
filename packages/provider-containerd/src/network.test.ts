import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createFakeRunner } from '@holm/testkit'
import { describe, expect, it } from 'vitest'
import { bridgeConfig, findPlugins, parseAddress, pluginsEnd, portmapConfig, runPlugin } from './cni.ts'
import { hostsFile, resolvFile } from './etc-files.ts'
import { chooseSubnet, parseRoutes, parseSubnet } from './subnet.ts'

const network = { bridge: 'holmc1', subnet: '10.64.1.0/24', state: '/state' }

describe('plugins', () => {
  it('are used from the first folder that has all', () => {
    const files = new Set([
      '/opt/cni/bin/bridge',
      ...['bridge', 'host-local', 'portmap'].map((n) => `/usr/lib/cni/${n}`),
    ])
    expect(findPlugins((file) => files.has(file))).toBe('/usr/lib/cni')
    expect(findPlugins(() => false)).toBeUndefined()
  })

  it('get one address range and the ports', () => {
    expect(bridgeConfig(network)).toMatchObject({
      bridge: 'holmc1',
      ipam: { ranges: [[{ subnet: '10.64.1.0/24' }]], dataDir: '/state' },
    })
    const mapping = { hostPort: 1, containerPort: 2, protocol: 'tcp', hostIP: '127.0.0.1' }
    expect(portmapConfig(network, [mapping], { ips: [] })).toMatchObject({
      runtimeConfig: { portMappings: [mapping] },
      prevResult: { ips: [] },
    })
    expect(parseAddress({ ips: [{ address: '10.64.1.2/24' }] })).toBe('10.64.1.2')
  })

  it('are quoted when they fail, with what helps when a network is full', async () => {
    const stdout = JSON.stringify({ code: 7, msg: 'no more addresses', details: 'in range' })
    const runner = createFakeRunner([{ argv: ['/p/bridge'], code: 1, stdout }])
    const call = { command: 'ADD', folder: '/p', containerId: 'c', netns: '/n', path: '/sbin' } as const
    await expect(runPlugin({ ...call, config: bridgeConfig(network), runner })).rejects.toMatchObject({
      code: 'HOLM_ENVIRONMENT_FAILED',
      message: expect.stringContaining('no more addresses; in range'),
    })
    const full =
      'failed to allocate for range 0: no IP addresses available in range set: 10.64.1.1-10.64.1.254'
    const fullRunner = createFakeRunner([
      { argv: ['/p/bridge'], code: 1, stdout: JSON.stringify({ msg: full }) },
    ])
    await expect(
      runPlugin({ ...call, config: bridgeConfig(network), runner: fullRunner }),
    ).rejects.toMatchObject({
      code: 'HOLM_ENVIRONMENT_FAILED',
      hint: expect.stringContaining('Stop or remove environments of this network'),
    })
  })
})

it('a plugin that outlived its holm is waited for, and no other', async () => {
  const id = `test-${process.pid}-box`
  const plugin = spawn('cat', {
    env: { ...process.env, CNI_CONTAINERID: id },
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  await once(plugin, 'spawn')
  await pluginsEnd((each) => each.containerId === `${id}-other`)
  const order: string[] = []
  const waited = pluginsEnd((each) => each.containerId === id).then(() => order.push('went on'))
  setImmediate(() => {
    order.push('told it to end')
    plugin.stdin.end()
  })
  await Promise.all([once(plugin, 'exit'), waited])
  expect(order).toEqual(['told it to end', 'went on'])
})

it(
  'what an environment runs under a plugin’s variable is not waited for',
  { timeout: 20_000 },
  async (ctx) => {
    const inside = ['--user', '--map-root-user', '--mount']
    if (spawnSync('unshare', [...inside, 'true']).status !== 0) ctx.skip('this user may make no namespaces')
    const id = `test-${process.pid}-hostile`
    const env = { ...process.env, CNI_CONTAINERID: id }
    const argv = [...inside, 'sh', '-c', 'echo inside; exec cat']
    const hostile = spawn('unshare', argv, { env, stdio: ['pipe', 'pipe', 'ignore'] })
    await once(hostile.stdout, 'data')
    await pluginsEnd((each) => each.containerId === id)
    expect(hostile.exitCode).toBeNull()
    hostile.stdin.end()
    await once(hostile, 'exit')
  },
)

describe('addresses', () => {
  it('are free ones, and the same for the same seed', () => {
    const first = chooseSubnet('seed', [])
    expect(first).toMatch(/^10\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.0\/24$/)
    expect(chooseSubnet('seed', [])).toBe(first)
    const [a = 0, b = 0, c = 0] = first.split('.').map(Number)
    const taken = { address: ((a << 24) | (b << 16) | (c << 8)) >>> 0, bits: 24 }
    expect(chooseSubnet('seed', [taken, { address: 0, bits: 0 }])).not.toBe(first)
    const none = expect.objectContaining({
      code: 'HOLM_ENVIRONMENT_FAILED',
      message: expect.stringContaining('no range') as string,
    }) as Error
    expect(() => chooseSubnet('seed', [parseSubnet('10.0.0.0/8')])).toThrow(none)
  })

  it('of routes are read in this machine’s byte order', () => {
    const table = 'Iface\tDestination\nbr0\t0001400A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n'
    expect(parseRoutes(table)).toEqual([{ address: 0x0a400100, bits: 24 }])
  })
})

describe('files of /etc', () => {
  it('hosts has the own name and what the blueprint adds', () => {
    const text = hostsFile({
      hostname: 'me',
      address: '10.64.1.2',
      options: { extraHosts: { 'a.test': '192.0.2.1' } },
    })
    expect(text).toContain('10.64.1.2\tme\n192.0.2.1\ta.test\n')
    expect(hostsFile({ hostname: 'me', options: {} })).toContain('127.0.1.1\tme')
    expect(hostsFile({ hostname: 'me', names: ['me', 'box'], options: {} })).toContain('127.0.1.1\tme box\n')
  })

  it('resolv.conf leaves out what cannot be reached', () => {
    const machine = '# note\nnameserver 127.0.0.53\nnameserver 192.0.2.7\nsearch a.test\n'
    expect(resolvFile(machine, {})).toBe('nameserver 192.0.2.7\nsearch a.test\n')
    expect(resolvFile(machine, { dns: ['192.0.2.9'], dnsSearch: ['b.test'] })).toBe(
      'nameserver 192.0.2.9\nsearch b.test\n',
    )
  })
})
