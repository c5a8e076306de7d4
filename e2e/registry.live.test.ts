import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createTar } from '@holm/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startRegistry, type Registry } from '../packages/provider-docker/test/registry.ts'
import { startEngine, type OwnEngine } from './faults/support/engine.ts'
import { createFaultHolm, expectCode, type FaultHolm } from './faults/support/fault-holm.ts'
import { makeSmallRootfs } from './faults/support/small-rootfs.ts'
import { makeFolder, missingBuild, missingDocker } from './support/holm.ts'

let holm: FaultHolm
let place = ''
let registry: Registry | undefined
let engine: OwnEngine | undefined
beforeEach(async (ctx) => {
  holm = createFaultHolm()
  const root = process.getuid?.() === 0 ? undefined : 'an engine of its own needs root'
  const reason = missingBuild() ?? missingDocker() ?? root
  if (reason !== undefined) ctx.skip(reason)
  place = makeFolder('holm-registry-')
  registry = await startRegistry()
  engine = await startEngine(place, ['--registry-mirror', `http://${registry.host}`])
  holm.env['DOCKER_HOST'] = engine.host
})
afterEach(async () => {
  await holm.dispose()
  await engine?.end()
  await registry?.close()
  if (place) rmSync(place, { recursive: true, force: true })
  engine = registry = undefined
  place = ''
})

test('a base of the catalogue is pinned at its first pull, and stays what it was when the tag moves', async () => {
  const rootfs = readFileSync(await makeSmallRootfs(holm.folder))
  const version = (text: string): Buffer =>
    createTar([{ path: 'version', mode: 0o644, data: Buffer.from(text) }])
  const digest = registry?.push('library/debian', '12', [rootfs, version('first')])
  holm.write('holm.yaml', 'name: one\nbase: debian-12\nprovider: docker\nnetwork: none\nproject: false\n')
  await expectCode(holm, ['up'], 0)
  expect((await expectCode(holm, ['exec', '--', 'cat', '/version'], 0)).stdout).toBe('first')
  const pinned = JSON.parse((await expectCode(holm, ['base', 'list', '--json'], 0)).stdout) as object[]
  expect(pinned).toContainEqual(expect.objectContaining({ name: 'debian-12', digest }))

  registry?.push('library/debian', '12', [rootfs, version('second')])
  await expectCode(holm, ['destroy', 'one', '--yes'], 0)
  // Another engine has nothing of the image: it is fetched again, by the digest of the first time.
  await engine?.end()
  engine = await startEngine(join(place, 'other'), ['--registry-mirror', `http://${registry?.host}`])
  holm.env['DOCKER_HOST'] = engine.host
  await expectCode(holm, ['up'], 0)
  expect((await expectCode(holm, ['exec', '--', 'cat', '/version'], 0)).stdout).toBe('first')
})
