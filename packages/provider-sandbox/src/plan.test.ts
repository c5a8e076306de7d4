import { describe, expect, it } from 'vitest'
import type { Mount } from '@holm/core'
import { bwrapArgv } from './bwrap.ts'
import { planRoot, type Machine } from './plan.ts'
import { quote } from './quote.ts'
import type { SandboxRecord } from './record.ts'
import { buildScript, parseMountinfo } from './shell-build.ts'

const identity = { pid: 1, start: '1', bootId: 'b' }
const record: SandboxRecord = {
  version: 1,
  name: 'e',
  status: 'ready',
  creator: identity,
  createdAt: '',
  labels: {},
  backend: 'bwrap',
  layer: 'none',
  caller: { uid: 1000, gid: 1000, name: 'ann', home: '/home/ann' },
  base: { kind: 'host' },
  hostname: 'box',
  env: {},
  mounts: [],
  ports: [],
  network: 'default',
  resources: {},
  security: { privileged: false, capAdd: [], capDrop: [], securityOpt: [], devices: [] },
}
const machine: Machine = {
  top: [
    { name: 'usr' },
    { name: 'bin', link: 'usr/bin' },
    { name: 'home' },
    { name: 'secret-data' },
    { name: 'etc' },
  ],
  kinds: new Map([
    ['/etc/shadow', 'file'],
    ['/etc/ssh', 'directory'],
    ['/proc/sys', 'directory'],
    ['/sys', 'directory'],
  ]),
  resolver: '/run/systemd/resolve/stub-resolv.conf',
}
const paths = { folder: '/d/e', volumes: '/d/v', data: '/d', place: (target: string) => target }
const argv = (mounts: readonly Mount[] = [], data = '/d'): string =>
  bwrapArgv(record, planRoot({ ...record, mounts }, machine, { ...paths, data })).join(' ')

describe('planRoot', () => {
  it('shows only what is known of this machine', () => {
    expect(argv()).toContain('--ro-bind /usr /usr')
    expect(argv()).toContain('--symlink usr/bin /bin')
    expect(argv()).not.toContain('secret-data')
    expect(argv()).not.toContain('--ro-bind /home')
  })
  it('masks secrets after what holds them', () => {
    expect(argv().indexOf('--dev-bind /dev/null /etc/shadow')).toBeGreaterThan(
      argv().indexOf('--ro-bind /etc /etc'),
    )
    expect(argv()).toContain('--tmpfs /etc/ssh --remount-ro /etc/ssh')
  })
  it('keeps kernel settings from the numeric id 0', () => {
    expect(argv().indexOf('--ro-bind /proc/sys /proc/sys')).toBeGreaterThan(argv().indexOf('--proc /proc'))
  })
  it('shows the resolver where the link leads to', () => {
    expect(argv().indexOf('--ro-bind /run/systemd/resolve')).toBeGreaterThan(argv().indexOf('--tmpfs /run'))
  })
  it('hides the data of holm in a project that holds it', () => {
    const mounts = [{ type: 'bind', source: '/home/ann', target: '/workspace', readonly: false }] as const
    expect(argv(mounts, '/home/ann/.local/share/holm')).toMatch(
      /--bind \/home\/ann \/workspace .*--tmpfs \/workspace\/.local\/share\/holm/,
    )
    expect(argv(mounts, '/home/annabel/holm')).not.toContain('annabel')
  })
  it('keeps anonymous volumes with the environment', () => {
    expect(argv([{ type: 'volume', target: '/v', readonly: true }])).toContain('--ro-bind /d/e/volumes/0 /v')
  })
})

describe('buildScript', () => {
  const mounts = parseMountinfo(
    '1 0 0:1 / / rw,relatime - ext4 x rw\n2 1 0:2 / /usr/a\\040b rw,nosuid,noexec - tmpfs t rw',
  )
  const script = buildScript(record, planRoot(record, machine, paths), {
    mounts,
    umount: ['umount'],
  })
  it('makes file systems below read-only, too, and keeps their flags', () => {
    expect(script).toContain(`mount -o remount,bind,ro,nosuid,nodev,noexec "$r"'/usr/a b'`)
  })
  it('lets go of this machine before it is ready', () => {
    expect(script.indexOf('pivot_root')).toBeLessThan(script.indexOf(`'umount' -n -l /dev/.old`))
    expect(script.indexOf('/dev/.old', script.indexOf('pivot_root'))).toBeLessThan(
      script.indexOf('echo ready'),
    )
  })
  it('quotes', () => expect(quote(`it's $x`)).toBe(String.raw`'it'\''s $x'`))
})
