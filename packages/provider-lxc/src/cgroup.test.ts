import { describe, expect, it } from 'vitest'
import { parseCgroupMounts, parseGroup, planLimits, versionOf, type LimitFacts } from './cgroup.ts'

const mountinfo = `
30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
32 25 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`
const hybrid = parseCgroupMounts(mountinfo, () => 'pids\n')
const unified = parseCgroupMounts(
  '32 25 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw',
  () => 'cpu memory pids',
)
const facts: LimitFacts = { mounts: hybrid, usable: () => true, swap: true, defaultPids: 4096 }

describe('control groups', () => {
  it('finds each controller on its side', () => {
    expect(hybrid.v1).toEqual({
      cpu: '/sys/fs/cgroup/cpu,cpuacct',
      cpuacct: '/sys/fs/cgroup/cpu,cpuacct',
      memory: '/sys/fs/cgroup/memory',
    })
    expect(hybrid.v2).toEqual({ folder: '/sys/fs/cgroup/unified', controllers: ['pids'] })
    expect(versionOf('memory', facts)).toBe(1)
    expect(versionOf('pids', facts)).toBe(2)
    expect(versionOf('devices', { ...facts, mounts: unified })).toBe(2)
    expect(versionOf('memory', { mounts: hybrid, usable: () => false })).toBeUndefined()
  })

  it('writes version 1 and version 2 side by side on a hybrid machine', () => {
    const { limits, values } = planLimits({ cpus: 1.5, memoryBytes: 1024, pids: 9 }, facts)
    expect(values.map(({ file, value }) => `${file}=${value}`)).toEqual([
      'cpu.cfs_period_us=100000',
      'cpu.cfs_quota_us=150000',
      'memory.limit_in_bytes=1024',
      'memory.memsw.limit_in_bytes=1024',
      'pids.max=9',
    ])
    expect(limits.map(({ enforcedBy }) => enforcedBy)).toEqual([
      'cgroup v1 cpu',
      'cgroup v1 memory',
      'cgroup v2 pids',
    ])
  })

  it('writes version 2 alone where that is all there is', () => {
    const { values } = planLimits({ cpus: 0.5, memoryBytes: 2048 }, { ...facts, mounts: unified })
    expect(values.map(({ file, value }) => `${file}=${value}`)).toEqual([
      'cpu.max=50000 100000',
      'memory.max=2048',
      'memory.swap.max=0',
      'pids.max=4096',
    ])
  })

  it('says what nothing enforces', () => {
    const plan = planLimits({ memoryBytes: 1, diskBytes: 2 }, { ...facts, usable: () => false })
    expect(plan.limits).toEqual([
      { name: 'memory', value: 1, enforcedBy: null },
      { name: 'disk', value: 2, enforcedBy: null },
    ])
    expect(plan.values).toEqual([])
  })

  it('takes no group for the container’s that it shares with others', () => {
    const text =
      '3:memory:/lxc.payload.holm-1-box\n4:cpu,cpuacct:/user.slice\n0::/lxc.payload.holm-1-box/.lxc\n'
    expect(parseGroup(text, 'memory', hybrid)).toEqual({
      folder: '/sys/fs/cgroup/memory/lxc.payload.holm-1-box',
      version: 1,
    })
    expect(parseGroup(text, 'cpu', hybrid)).toBeUndefined()
    expect(parseGroup(text, 'pids', unified)).toEqual({
      folder: '/sys/fs/cgroup/lxc.payload.holm-1-box',
      version: 2,
    })
    expect(parseGroup('0::/user.slice\n', 'pids', unified)).toBeUndefined()
  })
})
