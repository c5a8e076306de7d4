import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  describeEnd,
  makeFolder,
  missingBuild,
  missingDocker,
  missingRootfs,
  runProgram,
} from '../support/holm.ts'
import { startEngine, type OwnEngine } from './support/engine.ts'
import { makeSmallRootfs } from './support/small-rootfs.ts'
import {
  createFaultHolm,
  expectCode,
  expectError,
  listResidue,
  type FaultHolm,
} from './support/fault-holm.ts'

let holm: FaultHolm
let own: OwnEngine | undefined
let place: string
beforeEach(async (ctx) => {
  holm = createFaultHolm()
  const reason =
    missingBuild() ??
    missingDocker() ??
    missingRootfs() ??
    (process.getuid?.() === 0 ? undefined : 'an engine of its own needs root')
  if (reason !== undefined) ctx.skip(reason)
  place = makeFolder('holm-engine-')
  own = await startEngine(place)
  holm.env['DOCKER_HOST'] = own.host
})
afterEach(async () => {
  await own?.end()
  own = undefined
  spawnSync('umount', ['--lazy', place])
  if (place) rmSync(place, { recursive: true, force: true })
  place = ''
  await holm.dispose()
})

/** A root filesystem that is unpacked in a moment. */
async function prepareSmall(rest: string): Promise<void> {
  holm.write('holm.yaml', `name: one\nbase: small\nprovider: docker\nnetwork: none\nproject: false\n${rest}`)
  await expectCode(holm, ['base', 'add', 'small', await makeSmallRootfs(holm.folder)], 0)
}

const held = 'scripts: { setup: "echo provisioning now; sleep 1000" }\n'

test('an engine that is killed in the middle of up', { timeout: 90_000 }, async () => {
  await prepareSmall(held)
  const before = await listResidue(holm, own?.host)
  const up = holm.start(['up', '-v'])
  await up.said('provisioning now')
  own?.process.kill('SIGKILL')
  const ended = await up.ended
  expect(ended.code, describeEnd(['up'], ended)).toBe(5)
  expect(ended.stderr).toContain('error HOLM_PROVIDER_UNAVAILABLE: ')
  await expectError(holm, ['up'], {
    exit: 5,
    code: 'HOLM_PROVIDER_UNAVAILABLE',
    says: [join(place, 's')],
    hint: 'Start the engine',
  })
  await own?.restart()
  holm.write('holm.yaml', 'name: one\nbase: small\nprovider: docker\nnetwork: none\nproject: false\n')
  const again = await expectCode(holm, ['up'], 0)
  expect(again.stderr + again.stdout).toContain('half-made environment one')
  await expectCode(holm, ['exec', '--', 'true'], 0)
  await expectCode(holm, ['destroy', '--yes'], 0)
  expect(await listResidue(holm, own?.host)).toEqual(before)
})

test('an engine that is frozen in the middle of up ends with the deadline', { timeout: 90_000 }, async () => {
  await prepareSmall(held)
  const before = await listResidue(holm, own?.host)
  const up = holm.start(['up', '-v'], { env: { HOLM_UP__TIMEOUT: '8s' } })
  await up.said('provisioning now')
  own?.process.kill('SIGSTOP')
  const ended = await up.ended
  expect(ended.code, describeEnd(['up'], ended)).toBe(124)
  expect(ended.stderr).toContain('error HOLM_TIMEOUT: up did not finish within 8 s; it was at the step setup')
  expect(ended.stderr).toContain('holm destroy one')
  own?.process.kill('SIGCONT')
  await expectCode(holm, ['destroy', 'one', '--yes'], 0)
  expect(await listResidue(holm, own?.host)).toEqual(before)
})

test('an engine that is frozen before up is said to be silent', { timeout: 90_000 }, async () => {
  holm.write('holm.yaml', 'name: one\nbase: { image: "small:1" }\n')
  own?.process.kill('SIGSTOP')
  const since = performance.now()
  const shown = await expectCode(holm, ['provider', 'show', 'docker', '--json'], 0)
  expect(performance.now() - since).toBeLessThan(30_000)
  expect(JSON.parse(shown.stdout)).toMatchObject({
    probe: { usable: false, reason: expect.stringContaining('does not answer') as string },
  })
  own?.process.kill('SIGCONT')
})

test('an engine that is not there', async () => {
  holm.write('holm.yaml', 'name: one\nbase: { image: "small:1" }\nprovider: docker\n')
  await own?.end()
  rmSync(join(place, 's'), { force: true })
  await expectError(holm, ['up'], {
    exit: 5,
    code: 'HOLM_PROVIDER_UNAVAILABLE',
    says: [join(place, 's')],
    hint: 'start Docker',
  })
  // The request never left this machine: nothing was made, and nothing is remembered.
  expect((await expectCode(holm, ['list', '--json'], 0)).stdout).toBe('[]\n')
  await own?.restart()
  expect((await expectCode(holm, ['list', '--json'], 0)).stdout).toBe('[]\n')
  expect(await listResidue(holm, own?.host)).toEqual([])
})

test('an engine whose disk is full', { timeout: 90_000 }, async () => {
  await own?.end()
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', place])
  expect(mount.status, String(mount.stderr)).toBe(0)
  own = await startEngine(join(place, 'full'))
  holm.env['DOCKER_HOST'] = own.host
  const tree = join(holm.folder, 'tree')
  mkdirSync(tree)
  writeFileSync(join(tree, 'big'), randomBytes(32 * 1024 * 1024))
  const made = await runProgram(['tar', '-cf', join(holm.folder, 'big.tar'), '-C', tree, 'big'])
  expect(made.code, describeEnd(['tar'], made)).toBe(0)
  holm.write(
    'holm.yaml',
    `name: one\nbase: { rootfs: "${join(holm.folder, 'big.tar')}" }\nprovider: docker\n`,
  )
  await expectError(holm, ['up'], {
    exit: 7,
    code: 'HOLM_DISK_FULL',
    says: ['no space left'],
    hint: 'Free',
  })
  expect(await listResidue(holm, own.host)).toEqual([])
})
