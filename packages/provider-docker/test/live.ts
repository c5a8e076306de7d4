import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Base, Provider } from '@holm/core'
import { createTestContext } from '@holm/testkit'
import { baseReference } from '../src/images.ts'
import { createEngine, createProvider } from '../src/index.ts'
import type { Engine } from '../src/index.ts'

const host = process.env['HOLM_TEST_DOCKER_HOST']
const rootfs = process.env['HOLM_TEST_ROOTFS']

/** Why the live tests cannot run here; undefined when they can. */
export function liveSkip(): string | undefined {
  if (!host) return 'HOLM_TEST_DOCKER_HOST names no engine'
  return rootfs ? undefined : 'HOLM_TEST_ROOTFS names no root filesystem tarball'
}

/** Of this test run alone: two runs against one engine never meet. */
export function namespace(part: string): string {
  return `holm-test-${part}-${randomBytes(3).toString('hex')}`
}

/** The tarball as the engine's image, so that a Dockerfile can start from it, too. A placeholder when there is none. */
export async function loadLiveBase(): Promise<Extract<Base, { kind: 'image' }>> {
  if (!rootfs || !host) return { kind: 'image', reference: 'nowhere:none' }
  const { provider, engine } = openLive()
  await provider.images?.prepare(await loadLiveRootfs(), createTestContext())
  engine.dispose()
  return { kind: 'image', reference: await baseReference(await loadLiveRootfs()) }
}

export async function loadLiveRootfs(): Promise<Extract<Base, { kind: 'rootfs' }>> {
  const path = rootfs ?? '/nowhere'
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return { kind: 'rootfs', name: 'live', path, sha256: hash.digest('hex') }
}

export interface Live {
  readonly provider: Provider
  readonly engine: Engine
}

export function openLive(options: { readonly host?: string; readonly namespace?: string } = {}): Live {
  const engine = createEngine({
    namespace: options.namespace ?? namespace('docker'),
    env: {},
    platform: process.platform,
    host: options.host ?? host,
  })
  return { engine, provider: createProvider(engine) }
}
