import { createSpec } from '@holm/testkit'
import type { EnvironmentSpec } from '@holm/core'
import { describe, expect, it } from 'vitest'
import { parseImageConfig } from './image-config.ts'
import type { Machine } from './machine.ts'
import { ociSpec, withUser } from './oci-spec.ts'
import type { OciSpec } from './oci-spec.ts'
import { capabilitiesOf, defaultCapabilities, parseCapabilities, seccompOf } from './security.ts'

const machine: Machine = {
  cgroup: 1,
  enforcers: { cpus: 'cgroup v1 cpu', memory: 'cgroup v1 memory', pids: 'cgroup v1 pids', disk: null },
  swapLimit: true,
  capabilities: ['CHOWN', 'SYS_ADMIN', 'NET_RAW', ...defaultCapabilities.slice(1)],
  init: '/usr/bin/tini-static',
}

function made(overrides: Partial<EnvironmentSpec> = {}, facts: Partial<Machine> = {}): OciSpec {
  return ociSpec({
    spec: createSpec(overrides),
    image: parseImageConfig({ Env: ['A=1'], Entrypoint: ['/run'], Cmd: ['now'], WorkingDir: '/srv' }),
    machine: { ...machine, ...facts },
    options: {},
    cgroupsPath: '/holm-x-test',
    etc: '/data/etc',
    volumes: new Map([['/data', '/volumes/one/data']]),
    devices: [],
    user: { uid: 0, gid: 0 },
  })
}

const open = { privileged: false, capAdd: [], capDrop: [], securityOpt: [], devices: [] }

describe('the OCI configuration', () => {
  it('is closed by default', () => {
    const { process, linux } = made()
    expect(process.noNewPrivileges).toBe(true)
    expect(process.capabilities.bounding).toEqual(defaultCapabilities.map((name) => `CAP_${name}`))
    expect(linux.maskedPaths).toContain('/proc/kcore')
    expect(linux.resources.devices).toEqual([{ allow: false, access: 'rwm' }])
    expect(linux.resources.pids).toEqual({ limit: 4096 })
    expect(linux.seccomp?.syscalls.flatMap(({ names }) => names)).toContain('open_by_handle_at')
  })

  it('gives a user who is not root no capability in effect', () => {
    expect(withUser(['CAP_CHOWN'], { uid: 7, gid: 7 }).capabilities).toMatchObject({
      bounding: ['CAP_CHOWN'],
      effective: [],
      permitted: [],
    })
  })

  it('grants nothing that this machine’s own root lacks', () => {
    expect(
      capabilitiesOf({ ...open, capAdd: ['SYS_RESOURCE', 'CAP_NET_RAW'] }, machine.capabilities),
    ).toEqual(expect.arrayContaining(['CAP_NET_RAW']))
    expect(capabilitiesOf({ ...open, capAdd: ['SYS_RESOURCE'] }, machine.capabilities)).not.toContain(
      'CAP_SYS_RESOURCE',
    )
    expect(capabilitiesOf({ ...open, privileged: true, capDrop: ['NET_RAW'] }, ['NET_RAW', 'CHOWN'])).toEqual(
      ['CAP_CHOWN'],
    )
    expect(parseCapabilities('0000000000000421')).toEqual(['CHOWN', 'KILL', 'NET_BIND_SERVICE'])
  })

  it('opens what the blueprint names', () => {
    const { process, linux } = made({ security: { ...open, privileged: true } })
    expect([process.noNewPrivileges, linux.seccomp, linux.maskedPaths]).toEqual([false, undefined, []])
    expect(seccompOf({ ...open, securityOpt: ['seccomp=unconfined'] })).toBeUndefined()
    expect(seccompOf({ ...open, capAdd: ['SYS_ADMIN'] })).toBeUndefined()
  })

  it('runs the base’s own program, in its folder, with its variables', () => {
    const { process } = made({ main: 'base', init: false, env: { B: 'two words' }, hostname: 'h' })
    expect(process.args).toEqual(['/run', 'now'])
    expect(process.cwd).toBe('/srv')
    expect(process.env).toEqual(expect.arrayContaining(['A=1', 'HOSTNAME=h', 'B=two words']))
    expect(made({ main: 'base' }).process.args.slice(0, 3)).toEqual(['/dev/holm-init', '--', '/run'])
  })

  it('mounts in the order of the blueprint, volumes as folders', () => {
    const { mounts } = made({
      mounts: [
        { type: 'bind', source: `/a "b"`, target: '/x', readonly: true },
        { type: 'volume', source: 'one', target: '/data', readonly: false },
        { type: 'tmpfs', target: '/t', sizeBytes: 5 },
      ],
    })
    expect(mounts.slice(-3)).toEqual([
      { destination: '/x', type: 'bind', source: `/a "b"`, options: ['rbind', 'ro', 'rprivate'] },
      {
        destination: '/data',
        type: 'bind',
        source: '/volumes/one/data',
        options: ['rbind', 'rw', 'rprivate'],
      },
      {
        destination: '/t',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'nodev', 'mode=1777', 'size=5'],
      },
    ])
  })

  it('limits, and leaves out what nothing enforces', () => {
    const resources = { cpus: 1.5, memoryBytes: 1 << 26 }
    expect(made({ resources }).linux.resources).toMatchObject({
      cpu: { quota: 150_000, period: 100_000 },
      memory: { limit: 1 << 26, swap: 1 << 26 },
    })
    const none = { cpus: null, memory: null, pids: null, disk: null }
    expect(made({ resources }, { enforcers: none, swapLimit: false }).linux.resources).toEqual({
      devices: [{ allow: false, access: 'rwm' }],
    })
  })

  it('shares this machine’s network only when asked', () => {
    const types = (network: string): readonly string[] =>
      made({ network }).linux.namespaces.map(({ type }) => type)
    expect(types('none')).toContain('network')
    expect(types('host')).not.toContain('network')
  })
})
