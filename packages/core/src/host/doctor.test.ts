import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HolmError } from '../errors.ts'
import { judgeNode, judgeRuntime, runDoctor } from './doctor.ts'
import { runChecks } from './doctor/check.ts'
import { createRunner } from './runner.ts'
import type { DoctorCheck, ProviderInfo } from '../host-api.ts'
import type { Probe } from '../provider.ts'
import type { Runner } from '../process.ts'
import type { DoctorOptions } from './doctor.ts'

let home = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'holm-doctor-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

const providerWith = (probe: Probe | undefined): ProviderInfo => ({
  id: 'fake',
  plugin: '@holm/provider-fake',
  platforms: ['linux'],
  facets: [],
  traits: undefined,
  ...(probe ? { probe } : {}),
})

const missingTools: Runner = {
  run: () => Promise.reject(new HolmError('HOLM_TOOL_MISSING', 'cannot start git: not found')),
  spawn: () => Promise.reject(new HolmError('HOLM_BUG', 'not used')),
}

const doctor = (more: Partial<DoctorOptions> = {}): Promise<readonly DoctorCheck[]> =>
  runDoctor({
    providers: async () => [],
    paths: { data: join(home, 'not/yet/data'), cache: home, config: home },
    runner: createRunner({ env: process.env }),
    platform: process.platform,
    ...more,
  })

const find = (checks: readonly DoctorCheck[], name: string): DoctorCheck | undefined =>
  checks.find((check) => check.name === name)

describe('runDoctor', () => {
  it('looks at machine and holm, and every warning says what to do', async () => {
    const checks = await doctor()
    const names = [
      'disk',
      'memory',
      'processors',
      'git',
      'node',
      'data folder',
      'cache folder',
      'config folder',
    ]
    expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(names))
    expect(find(checks, 'data folder')).toMatchObject({
      status: 'ok',
      detail: expect.stringContaining('can be created'),
    })
    expect(find(checks, 'git')).toMatchObject({
      status: 'ok',
      detail: expect.stringMatching(/^git version /),
    })
    expect(checks.filter(({ detail }) => detail === '')).toEqual([])
    expect(checks.filter(({ status, fix }) => status === 'warning' && fix === undefined)).toEqual([])
  })

  it.skipIf(process.platform !== 'linux')('looks at the kernel on Linux only', async () => {
    const kernel = ['user namespaces', 'overlayfs', 'cgroups', 'seccomp', 'kvm', 'inotify', 'ports']
    expect((await doctor()).map(({ name }) => name)).toEqual(expect.arrayContaining(kernel))
    expect((await doctor({ platform: 'darwin' })).some(({ name }) => kernel.includes(name))).toBe(false)
  })

  it('goes on without git', async () => {
    expect(find(await doctor({ runner: missingTools }), 'git')).toMatchObject({
      status: 'missing',
      fix: expect.stringContaining('git'),
    })
  })

  it('goes on when the providers cannot be asked', async () => {
    const checks = await doctor({ providers: () => Promise.reject(new Error('broken manifest')) })
    expect(checks[0]).toEqual({
      group: 'runtime',
      name: 'providers',
      status: 'failed',
      detail: 'broken manifest',
    })
    expect(find(checks, 'node')).toBeDefined()
  })

  it('passes on what is wrong with the state', async () => {
    expect(find(await doctor({ verifyState: () => undefined }), 'state')).toMatchObject({ status: 'ok' })
    const damaged = await doctor({ verifyState: async () => 'page 3 is malformed' })
    expect(find(damaged, 'state')).toMatchObject({ status: 'failed', detail: 'page 3 is malformed' })
    expect(find(await doctor(), 'state')).toBeUndefined()
  })

  it('names a file that stands where a folder must be', async () => {
    const file = join(home, 'file')
    await writeFile(file, '')
    const checks = await doctor({ paths: { data: join(file, 'data'), cache: home, config: home } })
    expect(find(checks, 'data folder')).toMatchObject({ status: 'failed', detail: `${file} is no folder` })
  })
})

describe('runChecks', () => {
  it('keeps the answers of the others when one throws and one hangs', async () => {
    const check = (name: string, look: () => Promise<{ status: 'ok'; detail: string }>) => ({
      group: 'machine' as const,
      name,
      look,
    })
    const fine = { status: 'ok', detail: 'fine' } as const
    const checks = await runChecks(
      [
        check('throws', () => Promise.reject(new Error('no such thing'))),
        check('hangs', () => new Promise(() => undefined)),
        check('answers', async () => fine),
      ],
      20,
    )
    expect(checks.map(({ name, status, detail }) => [name, status, detail])).toEqual([
      ['throws', 'failed', 'no such thing'],
      ['hangs', 'failed', 'no answer in 0.02 s'],
      ['answers', 'ok', 'fine'],
    ])
  })
})

describe('judgeRuntime', () => {
  it.each([
    ['usable', { usable: true, version: 'Engine 1', limitations: [] }, { status: 'ok', detail: 'Engine 1' }],
    [
      'usable and weaker than expected',
      { usable: true, limitations: ['shares the network'] },
      { status: 'ok', detail: 'usable', limitations: ['shares the network'] },
    ],
    [
      'absent',
      { usable: false, reason: 'no socket', fix: 'Install it.', limitations: [] },
      { status: 'missing', detail: 'no socket', fix: 'Install it.' },
    ],
    [
      'there and broken',
      { usable: false, version: 'Engine 1', reason: 'permission denied', limitations: [] },
      { status: 'warning', detail: 'Engine 1: permission denied' },
    ],
  ])('%s', (_name, probe, expected) => {
    expect(judgeRuntime(providerWith(probe))).toEqual(expected)
  })

  it('of another system', () => {
    expect(judgeRuntime(providerWith(undefined))).toEqual({
      status: 'missing',
      detail: 'not for this system (linux)',
    })
  })
})

it('judgeNode wants 24', () => {
  expect(judgeNode('24.21.0').status).toBe('ok')
  expect(judgeNode('22.9.0')).toMatchObject({ status: 'failed', fix: expect.stringContaining('24') })
})
