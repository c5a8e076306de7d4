import { HolmError, isHolmError } from '../../errors.ts'
import { requireFacet } from '../../facets.ts'
import type { EnvironmentState } from '../../provider.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import type { HostContext } from '../context.ts'
import { abandonAfter } from '../environment/abandon.ts'
import { inspect } from '../environment/ask.ts'
import { leaveNothing } from '../environment/create.ts'
import { recordFromLabels } from '../environment/labels.ts'
import { leasePorts } from '../environment/lease-ports.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { companionSpec, type CompanionRequest } from './spec.ts'
import type { Owner } from './records.ts'

export interface Raising extends Owner {
  readonly host: HostContext
  readonly request: CompanionRequest
}

export interface Raised {
  readonly record: EnvironmentRecord
  readonly state: EnvironmentState
}

/** Makes it unless it is there as it is wanted, and starts it. One holm at a time; the others find it made. */
export async function raiseCompanion(raising: Raising): Promise<Raised> {
  const { host, request, name: owner } = raising
  const { spec, hash } = companionSpec(request)
  return host.state.locks.holdWaiting(spec.name, 'up', async () => {
    const record = (await findMade(raising, spec, hash)) ?? (await make(raising, spec, hash))
    if (host.state.records.get(owner) !== undefined) return wake(raising, record)
    // Somebody destroyed the environment meanwhile: nothing must be left that belongs to nobody.
    await raising.provider.remove(spec.name, { volumes: false }, raising.operation.context)
    host.state.records.remove(spec.name)
    throw new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', `environment ${owner} was removed meanwhile`, {
      hint: 'Make it anew with: holm up',
      details: { name: owner },
    })
  })
}

/** What is there and can go on; anything else of it is removed, its volumes never. */
async function findMade(
  { host, provider, operation, request }: Raising,
  { name }: EnvironmentSpec,
  hash: string,
): Promise<EnvironmentRecord | undefined> {
  const record = host.state.records.get(name)
  if (record) assertOurs(record, request)
  const state = await inspect(provider, name, operation)
  if (state.status === 'absent') {
    if (record?.phase === 'ready') operation.warn(`${name} was removed outside holm; making it anew`)
    return undefined
  }
  assertOurs(recordFromLabels(host.namespace, state), request)
  if (record?.phase === 'ready' && record.hash === hash && record.provider === provider.id) return record
  await provider.remove(name, { volumes: false }, operation.context)
  host.state.records.remove(name)
  return undefined
}

function assertOurs({ name, details }: EnvironmentRecord, { owner, service }: CompanionRequest): void {
  const { partOf } = details
  if (partOf?.environment === owner.name && partOf.service === service.name) return
  throw new HolmError(
    'HOLM_ENVIRONMENT_CONFLICT',
    `the service ${service.name} of ${owner.name} needs the name ${name}, which another environment has`,
    {
      hint: `Remove that one with: holm destroy ${name}; or give this one another --name.`,
      details: { name, service: service.name },
    },
  )
}

/** The record says `creating` before the provider is asked: what a killed holm leaves is known as half-made. */
async function make(raising: Raising, declared: EnvironmentSpec, hash: string): Promise<EnvironmentRecord> {
  const { host, provider, operation } = raising
  const { name } = declared
  const draft = draftOf(raising, declared, hash)
  host.state.records.put(draft)
  try {
    const spec = await leasePorts(host, draft, await withBase(raising, declared))
    await abandonAfter(provider.create(spec, operation.context), operation.signal)
    const record: EnvironmentRecord = { ...draft, phase: 'ready', details: { ...draft.details, spec } }
    host.state.records.put(record)
    return record
  } catch (error) {
    await leaveNothing({ host, operation, plan: { name, provider, spec: declared } }, error, false)
    throw error
  }
}

function draftOf(
  { host, provider, request }: Raising,
  spec: EnvironmentSpec,
  hash: string,
): EnvironmentRecord {
  return {
    namespace: host.namespace,
    name: spec.name,
    provider: provider.id,
    phase: 'creating',
    project: '',
    source: spec.origin.source,
    hash,
    createdAt: new Date().toISOString(),
    details: {
      blueprint: spec.origin.blueprint,
      spec,
      partOf: { environment: request.owner.name, service: request.service.name },
      ...(spec.exec.workdir !== undefined && { workdir: spec.exec.workdir }),
    },
  }
}

/** A Dockerfile is built once, when the service is made. */
async function withBase({ provider, operation }: Raising, spec: EnvironmentSpec): Promise<EnvironmentSpec> {
  const { base } = spec
  if (base.kind !== 'build') return spec
  const built = await requireFacet(provider, 'build').build(base, operation.context)
  return { ...spec, base: built.base }
}

/** A main process that has ended at once has been started all the same. */
async function wake({ host, provider, operation }: Raising, record: EnvironmentRecord): Promise<Raised> {
  const { halted: _halted, ...details } = record.details
  const next: EnvironmentRecord = { ...record, details }
  host.state.records.put(next)
  try {
    const state = await abandonAfter(provider.start(record.name, operation.context), operation.signal)
    return { record: next, state }
  } catch (error) {
    if (!isHolmError(error, 'HOLM_ENVIRONMENT_FAILED') || typeof error.details?.['exitCode'] !== 'number')
      throw error
    return { record: next, state: await inspect(provider, record.name, operation) }
  }
}
