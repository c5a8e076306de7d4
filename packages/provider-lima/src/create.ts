import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { HolmError, assertNotAborted } from '@holm/core'
import type { EnvironmentSpec, EnvironmentState, ProviderContext } from '@holm/core'
import { argv } from './argv.ts'
import { withLock } from './lock.ts'
import { vmTypes, type LimaOptions } from './options.ts'
import { pickPorts } from './ports.ts'
import { parseRecord, type LimaRecord } from './record.ts'
import { assertSupported, resolveImage } from './requirements.ts'
import type { Session } from './session.ts'
import { listInstances, stateOf } from './state.ts'
import { configFile, loadStored, removeDraft, saveRecord, writeDraft, type Stored } from './store.ts'

/** Fetching an image over a slow line is the longest part. */
export const createMs = 30 * 60_000

/** The first Lima that has its images apart from the rest of its templates. */
const templateVersion = '1.1.0'

/** How an instance comes to be, from a file with its whole configuration. */
export type Maker = (stored: Stored, file: string) => Promise<void>

export async function createEnvironment(
  session: Session,
  spec: EnvironmentSpec,
  ctx: ProviderContext,
): Promise<EnvironmentState> {
  return makeEnvironment(session, { spec, ctx }, async (stored, file) => {
    const { instance } = stored
    const action = `create ${spec.name}`
    if ('template' in stored.record.image)
      await session.requireVersion(templateVersion, 'a base by name', ctx)
    ctx.progress({ message: `making the virtual machine ${instance}` })
    await session.run(
      { argv: argv.create(instance, file), action, environment: spec.name, timeoutMs: createMs },
      ctx,
    )
    await keepRecord(session, stored, ctx)
  })
}

/**
 * limactl puts the contents of a template in the place of its name, and may lose a comment over that: the configuration
 * is written once more, with what the name stood for.
 */
async function keepRecord(session: Session, stored: Stored, ctx: ProviderContext): Promise<void> {
  const { instance, record } = stored
  const text = await readFile(configFile(session, instance), 'utf8')
  if (!('template' in record.image)) {
    if (parseRecord(text) === undefined) await saveRecord(session, stored, ctx)
    return
  }
  const listed = (await listInstances(session, [instance], ctx)).get(instance)
  const { images = [], mountTypesUnsupported = [] } = listed ?? {}
  const image = { ...record.image, resolved: { images, mountTypesUnsupported } }
  await saveRecord(session, { ...stored, record: { ...record, image } }, ctx)
}

/** What create and clone have in common: the rules for names, and that a failure leaves nothing. */
export async function makeEnvironment(
  session: Session,
  { spec, ctx }: { readonly spec: EnvironmentSpec; readonly ctx: ProviderContext },
  make: Maker,
): Promise<EnvironmentState> {
  assertNotAborted(ctx.signal)
  assertSupported(spec)
  const early = await findExisting(session, spec, ctx)
  if (early !== undefined) return early
  const record = await formRecord(session, spec)
  return withLock(session, spec.name, async () => {
    // Another may have made it while this one came to the lock.
    const existing = await findExisting(session, spec, ctx)
    if (existing !== undefined) return existing
    const stored: Stored = { instance: session.instance(spec.name), record, draft: false }
    await clearLeftovers(session, stored, ctx)
    try {
      await make(stored, await writeDraft(session, stored.instance, record))
      assertNotAborted(ctx.signal)
      await removeDraft(session, stored.instance)
    } catch (error) {
      await discard(session, stored, ctx)
      throw error
    }
    return stateOf(session, stored, { ...ctx, signal: neverAborted() })
  })
}

/** The environment of that name with these labels, when it is whole. */
async function findExisting(
  session: Session,
  spec: EnvironmentSpec,
  ctx: ProviderContext,
): Promise<EnvironmentState | undefined> {
  const stored = await loadStored(session, spec.name)
  if (stored === undefined) return undefined
  if (!isDeepStrictEqual({ ...stored.record.labels }, { ...spec.labels })) {
    throw new HolmError(
      'HOLM_ENVIRONMENT_CONFLICT',
      `the name ${spec.name} is taken by another environment in Lima`,
      { hint: 'Choose another name, or destroy that one.' },
    )
  }
  return stored.draft ? undefined : stateOf(session, stored, ctx)
}

/** Of a killed create: removed under the lock, so that nobody is at it any more. An instance of somebody else stays. */
async function clearLeftovers(session: Session, stored: Stored, ctx: ProviderContext): Promise<void> {
  const { instance } = stored
  if (!existsSync(session.folder(instance))) return
  const left = await loadStored(session, stored.record.name)
  if (left === undefined && existsSync(configFile(session, instance))) {
    throw new HolmError(
      'HOLM_ENVIRONMENT_CONFLICT',
      `Lima has an instance ${instance} that is not this holm's`,
      {
        hint: `Remove it with \`limactl delete ${instance}\`, or choose another name.`,
      },
    )
  }
  await discard(session, stored, ctx)
}

/** Never under the caller's signal: it may have fired, and this is what tidies up after it. */
export async function discard(session: Session, { instance }: Stored, ctx: ProviderContext): Promise<void> {
  const options = { env: session.env, cwd: '/', timeoutMs: 60_000 }
  const folder = session.folder(instance)
  if (existsSync(folder)) await ctx.runner.run(argv.delete(instance), options).catch(() => undefined)
  await rm(folder, { recursive: true, force: true })
  await removeDraft(session, instance)
}

export function neverAborted(): AbortSignal {
  return new AbortController().signal
}

async function formRecord(session: Session, spec: EnvironmentSpec): Promise<LimaRecord> {
  const options = (spec.options['lima'] ?? {}) as LimaOptions
  const user = spec.exec.user ?? spec.user
  return {
    version: 1,
    namespace: session.settings.namespace,
    name: spec.name,
    createdAt: new Date().toISOString(),
    labels: spec.labels,
    hostname: spec.hostname,
    env: spec.env,
    ...(user !== undefined && { user }),
    resources: spec.resources,
    mounts: spec.mounts,
    ports: await pickPorts(spec.ports),
    image: resolveImage(spec, options),
    vmType: options.vmType ?? vmTypes[session.settings.platform === 'darwin' ? 0 : 1],
    ...(options.mountType !== undefined && { mountType: options.mountType }),
    snapshots: {},
  }
}
