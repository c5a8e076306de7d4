import { createSpec } from '@holm/testkit'
import { expect, it } from 'vitest'
import { buildConfig, buildDevices, limitKeys, type BuildInput } from './build.ts'
import { key } from './names.ts'
import { createRecord, parseRecord } from './record.ts'

const input = (spec: Parameters<typeof createSpec>[0] = {}, rest: Partial<BuildInput> = {}): BuildInput => ({
  namespace: 'holm',
  record: createRecord(createSpec({ name: 'box', ...spec }), '/logs/box.log'),
  pool: 'default',
  resolver: 'nameserver 10.0.0.1\n',
  network: { name: 'lxdbr0', address: { ip: '10.0.0.7', prefix: 24, gateway: '10.0.0.1' } },
  ...rest,
})

it('keeps the record where it comes back from, and marks what is ours', () => {
  const config = buildConfig(input({ labels: { 'a b': 'ünï "x"\n' } }))
  expect(config[key.namespace]).toBe('holm')
  expect(parseRecord({ name: 'x', config }).labels).toEqual({ 'a b': 'ünï "x"\n' })
  expect(() => parseRecord({ name: 'x', config: {} })).toThrow('cannot be read')
})

it('gives an unprivileged container few capabilities, an address, and a main process that stays', () => {
  const lines = buildConfig(input())['raw.lxc']?.split('\n') ?? []
  expect(lines).toContain('lxc.uts.name = box')
  expect(lines).toContain('lxc.no_new_privs = 1')
  expect(lines).toContain('lxc.net.0.ipv4.address = 10.0.0.7/24')
  expect(lines.find((line) => line.startsWith('lxc.cap.keep'))).not.toContain('sys_admin')
  const init = lines.find((line) => line.startsWith('lxc.environment = HOLM_INIT=')) ?? ''
  // The shell that puts it together again knows only single spaces.
  expect(init.slice('lxc.environment = '.length)).not.toMatch(/ {2}|\t/)
  expect(init).toContain('printf "%s\\n" "nameserver 10.0.0.1" >/etc/resolv.conf')
})

it('shows the settings of the kernel to be read, and what is of the network only where it has one of its own', () => {
  const auto = (spec: Parameters<typeof input>[0]): string[] =>
    (buildConfig(input(spec))['raw.lxc'] ?? '')
      .split('\n')
      .filter((line) => line.startsWith('lxc.mount.auto'))
  expect(auto({})).toEqual(['lxc.mount.auto =', 'lxc.mount.auto = proc:mixed sys:ro'])
  expect(auto({ network: 'host' })).toEqual(['lxc.mount.auto =', 'lxc.mount.auto = proc:mixed'])
  expect(auto({ main: 'base' }).at(-1)).toBe('lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed')
})

it('says privileged and same ids only where they are asked for', () => {
  const of = (config: Record<string, string>): unknown => [config['security.privileged'], config['raw.idmap']]
  expect(of(buildConfig(input()))).toEqual(['', ''])
  const privileged = { privileged: true, capAdd: [], capDrop: [], securityOpt: [], devices: [] }
  expect(of(buildConfig(input({ security: privileged })))).toEqual(['true', ''])
  const record = { ...input().record, ids: 'same' as const }
  expect(of(buildConfig(input({}, { record })))).toEqual(['', 'both 0-65535 0-65535'])
})

it('writes limits as the daemon takes them', () => {
  expect(limitKeys({ cpus: 0.5, memoryBytes: 1024, pids: 7 })).toEqual({
    'limits.cpu.allowance': '50ms/100ms',
    'limits.memory': '1024B',
    'limits.processes': '7',
  })
  expect(limitKeys({ cpus: 0.125 })['limits.cpu.allowance']).toBe('125ms/1000ms')
  expect(limitKeys({})).toEqual({
    'limits.cpu.allowance': '',
    'limits.memory': '',
    'limits.processes': '4096',
  })
})

it('mounts with translated ids where it can, publishes on the address that was asked for', () => {
  const mounts = [
    { type: 'bind', source: '/a b', target: '/mnt/shared', readonly: true },
    { type: 'volume', source: 'data', target: '/data', readonly: false },
    { type: 'tmpfs', target: '/fast and small', sizeBytes: 4096 },
  ] as const
  const plain = input({ mounts })
  const bindings = [{ container: 80, host: 8080, hostIp: '127.0.0.1', protocol: 'tcp' }] as const
  const devices = buildDevices({ ...plain, record: { ...plain.record, bindings } })
  expect(devices['mount0']).toMatchObject({
    source: '/a b',
    path: '/mnt/shared',
    readonly: 'true',
    shift: 'true',
  })
  expect(devices['mount1']).toMatchObject({ pool: 'default', path: '/data' })
  expect(devices['mount2']).toBeUndefined()
  expect(buildConfig(plain)['raw.lxc']).toContain('lxc.mount.entry = tmpfs fast\\040and\\040small tmpfs')
  expect(Object.values(devices).find(({ type }) => type === 'proxy')).toEqual({
    type: 'proxy',
    bind: 'host',
    listen: 'tcp:127.0.0.1:8080',
    connect: 'tcp:127.0.0.1:80',
  })
  expect(buildDevices({ ...plain, record: { ...plain.record, ids: 'same' } })['mount0']).not.toHaveProperty(
    'shift',
  )
})
