import type { Security } from '@holm/core'
import { describe, expect, it } from 'vitest'
import { defaultCapabilities, missingCapabilities, nestedConfig, securityConfig } from './security.ts'

const none: Security = { privileged: false, capAdd: [], capDrop: [], securityOpt: [], devices: [] }

describe('securityConfig', () => {
  it('adds what is named to the default set, with and without prefix', () => {
    expect(securityConfig({ ...none, capAdd: ['CAP_SYS_PTRACE', 'kill'] }).CapAdd).toEqual([
      ...defaultCapabilities,
      'SYS_PTRACE',
    ])
  })

  it('takes away what is named, or all', () => {
    expect(securityConfig({ ...none, capDrop: ['KILL'] }).CapAdd).not.toContain('KILL')
    expect(securityConfig({ ...none, capDrop: ['ALL'], capAdd: ['CHOWN'] }).CapAdd).toEqual(['CHOWN'])
  })

  it('never drops ALL while ALL is added', () => {
    expect(securityConfig({ ...none, capAdd: ['ALL'], capDrop: ['SYS_RESOURCE'] })).toMatchObject({
      CapAdd: ['ALL'],
      CapDrop: ['SYS_RESOURCE'],
    })
  })

  it('drops nothing when privileged was named', () => {
    expect(securityConfig({ ...none, privileged: true })).toEqual({ Privileged: true })
  })

  it('lets a blueprint name the looser choice for new privileges', () => {
    expect(
      securityConfig({ ...none, securityOpt: ['no-new-privileges:false', 'seccomp=unconfined'] }).SecurityOpt,
    ).toEqual(['seccomp=unconfined'])
    expect(securityConfig({ ...none, securityOpt: ['seccomp=unconfined'] }).SecurityOpt).toEqual([
      'no-new-privileges',
      'seccomp=unconfined',
    ])
  })
})

describe('an engine inside', () => {
  it('is privileged, in a cgroup namespace of its own', () => {
    expect(nestedConfig({ ...none, capDrop: ['SYS_TIME'] }, [])).toEqual({
      Privileged: true,
      CapDrop: ['SYS_TIME'],
      CgroupnsMode: 'private',
    })
  })

  it('has everything but what its machine lacks, where privileged would not start', () => {
    expect(nestedConfig({ ...none, capDrop: ['cap_sys_time'] }, ['SYS_RESOURCE'])).toMatchObject({
      Privileged: false,
      CapAdd: ['ALL'],
      CapDrop: ['SYS_RESOURCE', 'SYS_TIME'],
      MaskedPaths: [],
      CgroupnsMode: 'private',
    })
  })

  it.each([
    ['000001ffffffffff', []],
    ['000001fffeffffff', ['SYS_RESOURCE']],
    // holm itself is confined: that says nothing of the engine.
    ['00000000a80425fb', []],
  ])('%s', (bounds, missing) => {
    expect(missingCapabilities(`Name:\tnode\nCapBnd:\t${bounds}\n`)).toEqual(missing)
  })

  it('knows nothing of a machine without /proc', () => {
    expect(missingCapabilities(undefined)).toEqual([])
  })
})
