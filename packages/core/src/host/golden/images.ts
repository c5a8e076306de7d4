import { HolmError, isHolmError } from '../../errors.ts'
import type { GoldenImage, PruneOptions, PruneResult } from '../../copies-api.ts'
import type { CallOptions, HostApi } from '../../host-api.ts'
import type { EnvironmentState } from '../../provider.ts'
import type { HostContext } from '../context.ts'
import { ask } from '../environment/ask.ts'
import { isGolden, labelKeys } from '../environment/labels.ts'
import { allProviders } from '../environment/reconcile.ts'
import type { ImageRecord } from '../state/index.ts'

/** What people see of an image. */
export function imageOf(host: HostContext, record: ImageRecord): GoldenImage {
  const environments = host.state.records
    .list()
    .filter(({ provider, details }) => provider === record.provider && details.image === record.name)
    .map(({ name }) => name)
  return { ...record, status: 'ready', environments }
}

/** Asks the runtimes: what they no longer have is forgotten, what nobody finished is shown as such. */
export async function listImages(host: HostContext, options: CallOptions): Promise<GoldenImage[]> {
  const operation = host.operation('', options)
  const records = host.state.images.list()
  const found: GoldenImage[] = []
  for (const id of await allProviders(host)) {
    const own = records.filter(({ provider }) => provider === id)
    const states = await askProvider(host, id, options)
    if (states === undefined) {
      if (own.length > 0) operation.warn(`cannot ask ${id} for its images`, 'See: holm doctor')
      found.push(...own.map((record) => imageOf(host, record)))
      continue
    }
    const there = new Set(states.map(({ name }) => name))
    for (const record of own) {
      if (there.has(record.name)) found.push(imageOf(host, record))
      else host.state.images.remove(record.name)
    }
    const known = new Set(own.map(({ name }) => name))
    found.push(...states.filter(({ name }) => !known.has(name)).map((state) => unfinished(host, state)))
  }
  return found.toSorted((a, b) => a.name.localeCompare(b.name))
}

async function askProvider(
  host: HostContext,
  id: string,
  options: CallOptions,
): Promise<EnvironmentState[] | undefined> {
  const operation = host.operation('', options)
  try {
    const provider = await host.provider(id)
    return (await ask(provider, operation, (context) => provider.list(context))).filter(isGolden)
  } catch (error) {
    if (!isHolmError(error) || isHolmError(error, 'HOLM_INTERRUPTED')) throw error
    return undefined
  }
}

function unfinished(
  host: HostContext,
  { name, provider, labels, createdAt = '' }: EnvironmentState,
): GoldenImage {
  return {
    name,
    provider,
    hash: labels[labelKeys.golden] ?? '',
    blueprint: labels[labelKeys.blueprint] ?? '',
    source: '',
    createdAt,
    usedAt: createdAt,
    tookMs: 0,
    status: host.state.locks.holder(name) ? 'building' : 'unfinished',
    environments: [],
  }
}

/** By name, or by the first digits of the hash. */
export async function findOne(host: HostContext, name: string, options: CallOptions): Promise<GoldenImage> {
  const images = await listImages(host, options)
  const wanted = name.replace(/^golden-/, '')
  const matching = images.filter(({ hash }) => wanted.length >= 4 && hash.startsWith(wanted))
  const [image, ...others] = images.filter((each) => each.name === name).concat(matching)
  if (image !== undefined && others.every((each) => each.name === image.name)) return image
  const what =
    image === undefined ? `there is no golden image ${name}` : `several golden images begin with ${name}`
  throw new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', what, {
    hint: 'See what there is with: holm image list',
    details: { name },
  })
}

export async function removeImage(
  host: HostContext,
  image: GoldenImage,
  options: CallOptions,
): Promise<void> {
  const operation = host.operation(image.name, options)
  const provider = await host.provider(image.provider)
  await host.state.locks.hold(image.name, 'removing a golden image', async () => {
    host.state.images.remove(image.name)
    await operation.step('remove', () => provider.remove(image.name, { volumes: true }, operation.context))
  })
}

/** Which images a prune takes: never one that is being built. Clones live on without the image they came from. */
export function choosePruned(
  images: readonly GoldenImage[],
  { all = false, olderThanMs, now = Date.now() }: PruneOptions & { readonly now?: number },
): GoldenImage[] {
  return images.filter(({ status, usedAt, environments }) => {
    if (status === 'building') return false
    if (status === 'unfinished' || all) return true
    const old = olderThanMs === undefined || now - Date.parse(usedAt) > olderThanMs
    return old && environments.length === 0
  })
}

async function pruneImages(host: HostContext, options: PruneOptions): Promise<PruneResult> {
  const images = await listImages(host, options)
  const chosen = choosePruned(images, options)
  if (options.dryRun !== true) for (const image of chosen) await removeImage(host, image, options)
  return { removed: chosen, kept: images.filter((image) => !chosen.includes(image)) }
}

/** `host.images` of the SDK. */
export const imagesApi = {
  list: listImages,
  show: findOne,
  remove: async (host: HostContext, name: string, options: CallOptions): Promise<GoldenImage> => {
    const image = await findOne(host, name, options)
    await removeImage(host, image, options)
    return image
  },
  prune: pruneImages,
} satisfies { [Key in keyof HostApi['images']]: unknown }
