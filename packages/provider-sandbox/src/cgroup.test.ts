import { describe, expect, it } from 'vitest'
import { joinArgv, parseCgroupMounts, planLimits, prlimitArgv, type LimitFacts } from './cgroup.ts'

const mountinfo = [
  '30 25 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory',
  '31 25 0:27 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct',
  '32 25 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup rw',
  '33 25 0:29 / / rw,relatime - ext4 /dev/vda rw',
].join('\n')

const facts: LimitFacts = {
  mounts: { v1: {}, v2: undefined },
  group: 'g',
  writable: () => true,
  delegated: undefined,
  rootless: true,
}
const resources = { cpus: 1.5, memoryBytes: 1024, pids: 9, diskBytes: 5 }
const enforcers = (given: LimitFacts): Record<string, string | null> =>
  Object.fromEntries(planLimits(resources, given).limits.map(({ name, enforcedBy }) => [name, enforcedBy]))

it('finds controllers of both versions', () => {
  expect(parseCgroupMounts(mountinfo)).toEqual({
    v1: { memory: '/sys/fs/cgroup/memory', cpu: '/sys/fs/cgroup/cpu' },
    v2: '/sys/fs/cgroup/unified',
  })
})

describe('planLimits', () => {
  it('uses version 1', () => {
    const plan = planLimits(resources, {
      ...facts,
      mounts: { v1: { cpu: '/c', memory: '/m', pids: '/p' }, v2: undefined },
    })
    expect(plan.writes).toEqual([
      { folder: '/c/holm/g', file: 'cpu.cfs_period_us', value: '100000' },
      { folder: '/c/holm/g', file: 'cpu.cfs_quota_us', value: '150000' },
      { folder: '/m/holm/g', file: 'memory.limit_in_bytes', value: '1024' },
      { folder: '/p/holm/g', file: 'pids.max', value: '9' },
    ])
  })
  it('uses version 2 where it is handed over, one folder for all', () => {
    const plan = planLimits(resources, {
      ...facts,
      delegated: { folder: '/u', controllers: ['cpu', 'memory', 'pids'] },
    })
    expect(plan.folders).toEqual(['/u/holm/g'])
    expect(plan.writes[0]).toEqual({ folder: '/u/holm/g', file: 'cpu.max', value: '150000 100000' })
  })
  it('says what nothing enforces', () => {
    expect(enforcers(facts)).toEqual({ cpus: null, memory: 'prlimit', pids: 'prlimit', disk: null })
    expect(enforcers({ ...facts, rootless: false })).toEqual({
      cpus: null,
      memory: 'prlimit',
      pids: null,
      disk: null,
    })
    expect(prlimitArgv(planLimits(resources, facts).limits)).toEqual(['prlimit', '--as=1024', '--nproc=9'])
  })
  it('asks for nothing without limits', () => {
    expect(planLimits({}, facts)).toEqual({ limits: [], writes: [], folders: [] })
  })
})

it('joins before it becomes the program', () => {
  expect(joinArgv([])).toEqual([])
  expect(joinArgv(['/a', '/b']).slice(3)).toEqual(['holm-join', '2', '/a/cgroup.procs', '/b/cgroup.procs'])
})
