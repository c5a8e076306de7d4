import { HolmError, isHolmError } from '../../errors.ts'
import type { Provider } from '../../provider.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import type { HostContext } from '../context.ts'
import { abandonAfter } from '../environment/abandon.ts'
import { labelKeys } from '../environment/labels.ts'
import type { Operation } from '../operation.ts'
import type { ImageRecord } from '../state/index.ts'
import { goldenHash, goldenName, identifyBase, installsAnything } from './hash.ts'

export interface GoldenWork {
  readonly host: HostContext
  readonly provider: Provider
  readonly operation: Operation
  readonly spec: EnvironmentSpec
}

/** Hash of what the spec installs; undefined while its base is not there to be looked at. */
export async function hashOf({ provider, operation, spec }: GoldenWork): Promise<string | undefined> {
  const base = await identifyBase(provider, spec.base, operation.context)
  if (base === undefined) return undefined
  return goldenHash({ spec, provider: provider.id, base, uid: process.getuid?.() })
}

/** Makes the environment from a golden image where there is one, and says which. */
export async function tryImage(work: GoldenWork): Promise<string | undefined> {
  if (!installsAnything(work.spec)) return undefined
  const hash = await hashOf(work)
  const image = hash === undefined ? undefined : await findImage(work, hash)
  if (image === undefined) return undefined
  return (await work.operation.step('clone', () => cloneImage(work, image))) ? image.name : undefined
}

/** The golden image for this spec that can be cloned now. */
async function findImage(work: GoldenWork, hash: string): Promise<ImageRecord | undefined> {
  const { host, provider, operation } = work
  if (!provider.clone) return undefined
  const record = host.state.images.get(goldenName(hash))
  if (record?.hash !== hash || host.state.locks.holder(record.name) !== undefined) return undefined
  const { status } = await provider.inspect(record.name, operation.context)
  if (status === 'stopped') return record
  if (status === 'absent') host.state.images.remove(record.name)
  return undefined
}

/** Makes the environment from the image. False when the image went away in this moment: then it is to be made anew. */
async function cloneImage(work: GoldenWork, image: ImageRecord): Promise<boolean> {
  const { host, provider, operation, spec } = work
  try {
    if (!provider.clone) return false
    await abandonAfter(provider.clone.clone(image.name, spec, operation.context), operation.signal)
  } catch (error) {
    if (!isHolmError(error, 'HOLM_ENVIRONMENT_NOT_FOUND')) throw error
    host.state.images.remove(image.name)
    return false
  }
  host.state.images.put(image.name, { ...image, usedAt: new Date().toISOString() })
  return true
}

/** The spec of the hidden environment: what is installed, and nothing of the one who asked for it. */
export function imageSpec({ host, spec }: Pick<GoldenWork, 'host' | 'spec'>, hash: string): EnvironmentSpec {
  const name = goldenName(hash)
  const named = !['default', 'none', 'host'].includes(spec.network)
  const { nestedDocker: _nestedDocker, ...bare } = spec
  return {
    ...bare,
    name,
    hostname: name,
    mounts: [],
    ports: [],
    expose: [],
    services: [],
    network: named ? 'default' : spec.network,
    lifecycle: {
      initialize: [],
      onCreate: [],
      updateContent: [],
      postCreate: [],
      postStart: [],
      postAttach: [],
      waitFor: spec.lifecycle.waitFor,
    },
    labels: {
      [labelKeys.namespace]: host.namespace,
      [labelKeys.environment]: name,
      [labelKeys.blueprint]: spec.origin.blueprint,
      [labelKeys.golden]: hash,
    },
  }
}

export function imageRecord(
  { provider, spec }: Pick<GoldenWork, 'provider' | 'spec'>,
  hash: string,
  tookMs: number,
): ImageRecord {
  const now = new Date().toISOString()
  return {
    name: goldenName(hash),
    hash,
    provider: provider.id,
    blueprint: spec.origin.blueprint,
    source: spec.origin.source,
    createdAt: now,
    usedAt: now,
    tookMs,
  }
}

/** Saves what `up` has just installed. Failing to is no reason to fail `up`. */
export async function saveImage(work: GoldenWork, tookMs: number): Promise<void> {
  const { host, provider, operation, spec } = work
  const hash = await hashOf(work)
  if (
    !installsAnything(spec) ||
    hash === undefined ||
    !provider.clone ||
    host.state.images.get(goldenName(hash))
  )
    return
  const { clone } = provider
  try {
    await host.state.locks.hold(goldenName(hash), 'saving a golden image', async () => {
      await provider.remove(goldenName(hash), { volumes: true }, operation.context)
      await operation.step('save', () => clone.clone(spec.name, imageSpec(work, hash), operation.context))
      host.state.images.put(goldenName(hash), imageRecord(work, hash, tookMs))
    })
  } catch (error) {
    if (operation.signal.aborted) throw error
    const message = error instanceof HolmError ? error.message : String(error)
    operation.warn(`no golden image was saved: ${message}`)
  }
}
