import { isHolmError } from '../../errors.ts'
import type { EnvironmentState } from '../../provider.ts'
import { removeCompanions } from '../companions/end.ts'
import { companionRecords, findCompanions } from '../companions/records.ts'
import type { HostContext } from '../context.ts'
import { likelyOwnVolumes } from '../docker/index.ts'
import type { Operation } from '../operation.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { inspect } from './ask.ts'
import { notFound } from './find.ts'
import { isGolden, recordFromLabels } from './labels.ts'
import { findEnvironment, type Found, type MethodOptions } from './manage.ts'
import { allProviders } from './reconcile.ts'
import { forgetUses } from './uses.ts'

interface Destroyed {
  readonly name: string
  readonly existed: boolean
}

/** An environment that is gone already is no error; a name that never was is, unless only its volumes are meant. */
export async function destroyEnvironment(
  host: HostContext,
  name: string | undefined,
  options: MethodOptions<'destroy'>,
): Promise<Destroyed> {
  try {
    return await destroy(host, await findEnvironment(host, name, options), options)
  } catch (error) {
    if (name === undefined || !isHolmError(error, 'HOLM_ENVIRONMENT_NOT_FOUND')) throw error
    return destroyUnrecorded(host, name, options)
  }
}

async function destroy(
  host: HostContext,
  { record, provider, operation }: Found,
  options: MethodOptions<'destroy'>,
): Promise<Destroyed> {
  const { own: volumes, services: dataOfServices } = readVolumes(options)
  return host.state.locks.hold(record.name, 'destroy', async () => {
    await host.registry.loadForHooks(['beforeRemove', 'afterRemove'])
    await host.hooks.before('beforeRemove', { environment: record.name, provider: provider.id })
    const records =
      record.details.spec === undefined
        ? await findCompanions(host, { name: record.name, provider, operation })
        : companionRecords(host, record.name)
    const { status } = await inspect(provider, record.name, operation)
    const own = likelyOwnVolumes(record.name, record.details.spec)
    await operation.step('remove', () => provider.remove(record.name, { volumes, own }, operation.context))
    host.state.records.remove(record.name)
    forgetUses(host, record.name)
    // After its own record: an `up` that makes one just now finds that it belongs to nobody any more.
    await removeCompanions(
      host,
      { name: record.name, provider, operation },
      { records, volumes: dataOfServices },
    )
    await forgetBase(record, provider, operation)
    await forgetOwned(host, record)
    await host.hooks.after('afterRemove', { environment: record.name })
    operation.emit({ type: 'state', environment: record.name, status: 'absent' })
    return { name: record.name, existed: status !== 'absent' }
  })
}

/** Whose named volumes go. */
interface Volumes {
  readonly own: boolean
  readonly services: boolean
}

function readVolumes({ volumes = false }: MethodOptions<'destroy'>): Volumes {
  return { own: volumes === true, services: volumes !== false }
}

/** The base that an import brought is this environment's alone; where a clone still needs it, the runtime keeps it. */
async function forgetBase(
  { source, details }: EnvironmentRecord,
  { images }: Found['provider'],
  { context }: Operation,
): Promise<void> {
  const base = details.spec?.base
  if (!images || base === undefined || !source.startsWith('import:')) return
  await images.remove(base, context).catch((error: unknown) => {
    if (!isHolmError(error) || isHolmError(error, 'HOLM_INTERRUPTED')) throw error
  })
}

/** Snapshots' files, and folders that were made for this environment alone. */
export async function forgetOwned(host: HostContext, { name, details }: EnvironmentRecord): Promise<void> {
  if (details.owned === undefined && host.state.snapshots.list(`${name}/`).length === 0) return
  const { forgetCopies } = await import('../copies/snapshots.ts')
  await forgetCopies(host, { name, owned: details.owned })
}

/** A name without a record may still be one that some runtime has (another data folder, a lost state file). */
async function destroyUnrecorded(
  host: HostContext,
  name: string,
  options: MethodOptions<'destroy'>,
): Promise<Destroyed> {
  const operation = host.operation(name, options)
  const record = await findInRuntimes(host, name, operation)
  if (record)
    return destroy(host, { record, provider: await host.provider(record.provider), operation }, options)
  const removed = await removeOrphans(host, { name, operation }, readVolumes(options))
  if (removed > 0) return { name, existed: true }
  if (options.volumes !== true) throw notFound(host, name)
  await removeVolumes(host, name, operation)
  return { name, existed: false }
}

/** Services whose environment was removed outside holm, or by a holm that was killed in between. Returns their number. */
async function removeOrphans(
  host: HostContext,
  { name, operation }: { readonly name: string; readonly operation: Operation },
  volumes: Volumes,
): Promise<number> {
  const records = companionRecords(host, name)
  if (records.length === 0) return 0
  await host.state.locks.hold(name, 'destroy', async () => {
    for (const record of records) {
      const provider = await host.provider(record.provider)
      await removeCompanions(
        host,
        { name, provider, operation },
        { records: [record], volumes: volumes.services },
      )
      // What the runtime made for all of them together goes with the environment.
      await provider.remove(name, { volumes: volumes.own }, operation.context)
    }
  })
  return records.length
}

/** Named volumes outlive their environment; a runtime that cannot be asked has none to remove. */
async function removeVolumes(host: HostContext, name: string, operation: Operation): Promise<void> {
  for (const id of await allProviders(host)) {
    const provider = await host.provider(id)
    const { usable } = await provider.probe(operation.context)
    const own = likelyOwnVolumes(name, undefined)
    if (usable) await provider.remove(name, { volumes: true, own }, operation.context)
  }
}

async function findInRuntimes(
  host: HostContext,
  name: string,
  operation: Operation,
): Promise<EnvironmentRecord | undefined> {
  const providers = await allProviders(host)
  const states = await Promise.all(
    providers.map(async (id): Promise<EnvironmentState | undefined> => {
      try {
        return await inspect(await host.provider(id), name, operation)
      } catch {
        // A runtime that cannot be asked is not the one that has it.
        return undefined
      }
    }),
  )
  const found = states.find((state) => state !== undefined && state.status !== 'absent' && !isGolden(state))
  return found && recordFromLabels(host.namespace, found)
}
