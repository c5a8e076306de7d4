import { describe, expect, it } from 'vitest'
import { buildConfig, type ConfigInput } from './config.ts'
import type { LxcRecord } from './record.ts'

const record: LxcRecord = {
  version: 1,
  name: 'box',
  status: 'ready',
  creator: { pid: 1, start: '1', boot: 'b' },
  createdAt: '2026-01-01T00:00:00.000Z',
  labels: {},
  options: {},
  layering: 'overlay',
  layers: ['/base'],
  base: { kind: 'folder', name: 'base', path: '/base' },
  hostname: 'box',
  main: 'hold',
  env: { TOKEN: 'secret' },
  mounts: [],
  ports: [],
  network: 'default',
  resources: {},
  security: { privileged: false, capAdd: [], capDrop: [], securityOpt: [], devices: [] },
}

const input: ConfigInput = {
  record,
  folder: `/data/it's "here"`,
  network: { kind: 'none' },
  mounts: [],
  devices: [],
  limits: [],
  deviceGroups: 1,
  seccompProfile: '/usr/share/lxc/config/common.seccomp',
  appArmor: false,
}

const lines = (overrides: Partial<ConfigInput> = {}, of: Partial<LxcRecord> = {}): string[] =>
  buildConfig({ ...input, ...overrides, record: { ...record, ...of } }).split('\n')

describe('buildConfig', () => {
  it('quotes the folder for the shell of the hook, and only there', () => {
    expect(lines()).toContain(`lxc.rootfs.path = dir:/data/it's "here"/root`)
    expect(lines()).toContain(
      String.raw`lxc.hook.pre-mount = /bin/sh '/data/it'\''s "here"/mount-root' '/data/it'\''s "here"'`,
    )
    expect(lines({}, { layering: 'copy' }).join()).not.toContain('pre-mount')
    expect(lines({ folder: '/data/plain' })).toContain('lxc.rootfs.path = overlay:/base:/data/plain/upper')
    expect(lines({ folder: '/data/plain' }, { layers: ['/one', '/base'] }).join()).toContain('pre-mount')
  })

  it('is safe by default', () => {
    const config = lines()
    expect(config).toContain('lxc.no_new_privs = 1')
    expect(config).toContain('lxc.mount.auto = proc:mixed sys:ro')
    expect(config).toContain('lxc.cgroup.devices.deny = a')
    expect(config).toContain('lxc.seccomp.profile = /usr/share/lxc/config/common.seccomp')
    expect(config.find((line) => line.startsWith('lxc.cap.keep'))).not.toContain('sys_admin')
  })

  it('gives a privileged container what it asks for', () => {
    const config = lines({}, { security: { ...record.security, privileged: true } }).join('\n')
    expect(config).toContain('lxc.no_new_privs = 0')
    expect(config).toContain('proc:rw')
    expect(config).not.toMatch(/seccomp|cap\.keep|devices\.deny|kcore/)
  })

  it('writes keys of the version of control groups that is there', () => {
    const limits = [{ controller: 'pids', version: 2, file: 'pids.max', value: '7' }] as const
    const config = lines({ limits, deviceGroups: 2 })
    expect(config).toContain('lxc.cgroup2.pids.max = 7')
    expect(config).toContain('lxc.cgroup2.devices.deny = a')
    expect(lines({ deviceGroups: undefined }).join()).not.toContain('devices.deny')
  })

  it('escapes mounts as fstab does', () => {
    const mount = { kind: 'bind', file: false, readonly: true, source: '/a b', target: '/c\\d e' } as const
    expect(lines({ mounts: [mount] })).toContain(
      String.raw`lxc.mount.entry = /a\040b c\134d\040e none rbind,ro,create=dir 0 0`,
    )
  })

  it('adds and drops capabilities by any of their names', () => {
    const security = { ...record.security, capAdd: ['NET_ADMIN'], capDrop: ['CAP_CHOWN'] }
    const kept = lines({}, { security }).find((line) => line.startsWith('lxc.cap.keep')) ?? ''
    expect(kept).toContain('net_admin')
    expect(kept).not.toMatch(/\bchown/)
    expect(lines({}, { security: { ...security, capAdd: [], capDrop: ['ALL'] } })).toContain(
      'lxc.cap.keep = none',
    )
  })

  it('hands variables to an init of the base only, and none that LXC cannot carry', () => {
    expect(lines().join()).not.toContain('secret')
    const config = lines({}, { main: 'base', env: { A: 'b c', B: 'x\ny' } })
    expect(config).toContain('lxc.environment = A=b c')
    expect(config.join('\n')).not.toContain('B=x')
    expect(config).toContain('lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed')
  })

  it('maps root of an ordinary user to the user itself', () => {
    const range = { start: 100_000, count: 65_536 }
    const config = lines(
      { network: { kind: 'host' } },
      { idMap: { uid: 1000, gid: 1000, uids: range, gids: range } },
    )
    expect(config).toContain('lxc.idmap = u 0 1000 1')
    expect(config).toContain('lxc.idmap = g 1 100000 65536')
    expect(config).toContain('lxc.mount.auto = proc:mixed')
  })

  it('lets lines of the blueprint come last', () => {
    expect(lines({}, { options: { config: ['lxc.pty.max = 9'] } }).at(-2)).toBe('lxc.pty.max = 9')
  })
})
