import type { Probe } from '@holm/core'
import { createFakeRunner, createTestContext, type Recording } from '@holm/testkit'
import { describe, expect, it } from 'vitest'
import { createProvider } from './provider.ts'

const version = { argv: ['limactl', '--version'] }
const qemu = { argv: ['qemu-img', '--version'], stdout: 'qemu-img version 9.2.0\n' }

function probe(recordings: readonly Recording[], platform: NodeJS.Platform = 'linux'): Promise<Probe> {
  const provider = createProvider({ namespace: 'test', env: { HOME: '/nowhere' }, platform })
  return provider.probe(createTestContext({ runner: createFakeRunner(recordings) }))
}

describe('probe', () => {
  it('says what is there, and what is weaker than one may expect', async () => {
    const found = await probe([{ ...version, stdout: 'limactl version 1.1.1\n' }, qemu])
    expect(found).toMatchObject({ usable: true, version: 'Lima 1.1.1' })
    expect(found.limitations).toContain('cloning needs Lima 1.2.0')
    const mac = await probe([{ ...version, stdout: 'limactl version 2.1.4\n' }], 'darwin')
    expect(mac.limitations).toContain('snapshots need providers.lima.vmType: qemu')
  })

  it('says what is missing and how to get it', async () => {
    const cases: [readonly Recording[], NodeJS.Platform, string][] = [
      [[{ ...version, missing: true }], 'darwin', 'limactl is not installed'],
      [[{ ...version, stdout: 'limactl version 0.23.2\n' }], 'linux', 'Lima 0.23.2 is too old'],
      [
        [{ ...version, code: 1, stderr: 'limactl: must not run as the root user\n' }],
        'linux',
        'Lima refuses to run as root',
      ],
      [
        [
          { ...version, stdout: 'limactl version 2.1.4\n' },
          { argv: qemu.argv, missing: true },
        ],
        'linux',
        'Lima needs QEMU here, and qemu-img is not installed',
      ],
      [[], 'win32', 'Lima is used on macOS and Linux, this is win32'],
    ]
    for (const [recordings, platform, reason] of cases) {
      const found = await probe(recordings, platform)
      expect(found).toMatchObject({ usable: false, reason })
      expect(found.fix).toMatch(/\.$/)
    }
  })

  it('touches nothing while nothing of holm is in Lima', async () => {
    const provider = createProvider({ namespace: 'test', env: { HOME: '/nowhere' }, platform: 'linux' })
    const context = createTestContext({ runner: createFakeRunner([]) })
    expect(await provider.list(context)).toEqual([])
    expect((await provider.inspect('box', context)).status).toBe('absent')
    await provider.remove('box', { volumes: true }, context)
  })
})
