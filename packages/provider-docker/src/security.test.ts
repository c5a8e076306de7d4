import type { Security } from '@holm/core'
import { describe, expect, it } from 'vitest'
import { defaultCapabilities, securityConfig } from './security.ts'

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
