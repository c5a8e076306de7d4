import { describe, expect, it } from 'vitest'
import {
  formatBytes,
  hasFilesystem,
  hasVirtualisation,
  overlapsEphemeral,
  parseCgroups,
  parseMeminfo,
  parsePortList,
  parsePortRange,
  userNamespaceFix,
} from './parse.ts'

const version1 = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`
const version2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n'

describe('parseCgroups', () => {
  it('reads version 1, also beside an empty version 2', () => {
    expect(parseCgroups(version1, '', '')).toEqual({
      version: 1,
      controllers: [
        { name: 'cpu', folder: '/sys/fs/cgroup/cpu,cpuacct' },
        { name: 'memory', folder: '/sys/fs/cgroup/memory' },
      ],
    })
  })

  it('reads version 2, with the own group as the folder', () => {
    const own = '0::/user.slice/user-1000.slice\n'
    expect(parseCgroups(version2, own, 'cpuset cpu io memory hugetlb pids\n')).toEqual({
      version: 2,
      controllers: ['cpuset', 'cpu', 'io', 'memory', 'pids'].map((name) => ({
        name,
        folder: '/sys/fs/cgroup/user.slice/user-1000.slice',
      })),
    })
    expect(parseCgroups(version2, '0::/\n', 'cpu').controllers[0]?.folder).toBe('/sys/fs/cgroup')
  })

  it('says none where none is mounted', () => {
    expect(parseCgroups('', '', '')).toEqual({ version: 'none', controllers: [] })
  })
})

describe('ports', () => {
  const range = [32_800, 34_999] as const

  it('reads the range and the reserved list', () => {
    expect(parsePortRange('32768\t60999\n')).toEqual([32_768, 60_999])
    expect(parsePortRange('')).toBeUndefined()
    expect(parsePortList('8080,32800-34999\n')).toEqual([
      [8080, 8080],
      [32_800, 34_999],
    ])
    expect(parsePortList('\n')).toEqual([])
  })

  it.each([
    ['inside the range of the system', '32768 60999', '', true],
    ['all reserved', '32768 60999', '32800-34999', false],
    ['reserved in two pieces', '32768 60999', '33900-35000,32000-33899', false],
    ['reserved with a hole', '32768 60999', '32800-33000,33002-34999', true],
    ['reserved but for the end', '32768 60999', '32800-34998', true],
    ['above', '40000 60999', '', false],
    ['touching', '34999 60999', '', true],
  ])('%s', (...[_name, ephemeral, reserved, expected]) => {
    expect(overlapsEphemeral(range, parsePortRange(ephemeral) ?? [0, 0], parsePortList(reserved))).toBe(
      expected,
    )
  })
})

it('userNamespaceFix names the setting that forbids them', () => {
  const permitted = { max: '63000\n', clone: '1\n', apparmor: '0\n' }
  expect(userNamespaceFix(permitted)).toBeUndefined()
  expect(userNamespaceFix({ ...permitted, clone: undefined, apparmor: undefined })).toBeUndefined()
  expect(userNamespaceFix({ ...permitted, max: '0\n' })).toMatch(/^user\.max_user_namespaces=/)
  expect(userNamespaceFix({ ...permitted, max: undefined })).toMatch(/^user\.max_user_namespaces=/)
  expect(userNamespaceFix({ ...permitted, clone: '0\n' })).toBe('kernel.unprivileged_userns_clone=1')
  expect(userNamespaceFix({ ...permitted, apparmor: '1\n' })).toBe(
    'kernel.apparmor_restrict_unprivileged_userns=0',
  )
})

it('hasFilesystem wants the whole name', () => {
  const text = 'nodev\tsysfs\nnodev\toverlay\n\text4\n'
  expect(hasFilesystem(text, 'overlay')).toBe(true)
  expect(hasFilesystem(text, 'over')).toBe(false)
  expect(hasFilesystem(text, 'ext4')).toBe(true)
})

it('hasVirtualisation reads the flags, and knows when there are none to read', () => {
  expect(hasVirtualisation('flags\t\t: fpu vmx sse\n')).toBe(true)
  expect(hasVirtualisation('flags\t\t: fpu sse vmxx\n')).toBe(false)
  expect(hasVirtualisation('Features\t: fp asimd\n')).toBeUndefined()
})

it('parseMeminfo reads kilobytes', () => {
  expect(parseMeminfo('MemTotal:       1000 kB\nMemAvailable:    500 kB\n', 'MemAvailable')).toBe(512_000)
  expect(parseMeminfo('', 'MemAvailable')).toBeUndefined()
})

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1500, '2 kB'],
  [2_500_000_000, '2.5 GB'],
  [3e15, '3000.0 TB'],
])('formatBytes %d is %s', (bytes, expected) => {
  expect(formatBytes(bytes)).toBe(expected)
})
