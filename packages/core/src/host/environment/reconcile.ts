import { isHolmError } from '../../errors.ts'
import type { CallOptions, EnvironmentInfo } from '../../host-api.ts'
import type { EnvironmentState } from '../../provider.ts'
import type { HostContext } from '../context.ts'
import type { Operation } from '../operation.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { ask } from './ask.ts'
import { infoOf } from './info.ts'
import { isGolden, recordFromLabels } from './labels.ts'

interface Answer {
  readonly provider: string
  /** Undefined when the provider could not be asked. */
  readonly states: readonly EnvironmentState[] | undefined
  readonly problem?: string
}

/**
 * Every environment of this namespace. The runtimes are asked, one call each; what they do not have is forgotten, what
 * they have and nobody wrote down is taken over, and what cannot be asked is shown as unknown. With `all`, and
 * after the state file was lost, every provider is asked, else those that have something.
 */
export async function listEnvironments(
  host: HostContext,
  options: CallOptions & { readonly all?: boolean },
): Promise<EnvironmentInfo[]> {
  const operation = host.operation('', options)
  const records = host.state.records.list()
  const everywhere = options.all === true || host.state.fresh
  const providers = everywhere
    ? await allProviders(host)
    : [...new Set(records.map((record) => record.provider))]
  const answers = await Promise.all(providers.map((id) => askProvider(host, id, operation)))
  const infos = answers.flatMap((answer) =>
    reconcileProvider({ host, operation, records, everywhere }, answer),
  )
  return infos.toSorted((a, b) => a.name.localeCompare(b.name))
}

/** Also those that no manifest lists, which are known only once they are loaded. */
export async function allProviders(host: HostContext): Promise<readonly string[]> {
  await host.registry.loadForHooks([])
  return host.registry.ids('provider')
}

async function askProvider(host: HostContext, id: string, operation: Operation): Promise<Answer> {
  try {
    const provider = await host.provider(id)
    const states = await ask(provider, operation, (context) => provider.list(context))
    return { provider: id, states: states.filter((state) => !isGolden(state)) }
  } catch (error) {
    if (!isHolmError(error) || isHolmError(error, 'HOLM_INTERRUPTED')) throw error
    return { provider: id, states: undefined, problem: error.message }
  }
}

interface Reconciliation {
  readonly host: HostContext
  readonly operation: Operation
  readonly records: readonly EnvironmentRecord[]
  readonly everywhere: boolean
}

function reconcileProvider(
  { host, operation, records, everywhere }: Reconciliation,
  answer: Answer,
): EnvironmentInfo[] {
  const own = records.filter((record) => record.provider === answer.provider)
  if (answer.states === undefined) {
    // Asked only because everybody was: a runtime that is not there and has nothing of ours is no news.
    if (own.length > 0)
      operation.warn(
        `cannot ask ${answer.provider}: ${answer.problem ?? 'no reason given'}`,
        'See: holm doctor',
      )
    return own.map((record) => unknownInfo(record, answer.problem))
  }
  const states = new Map(answer.states.map((state) => [state.name, state]))
  const known = own.flatMap((record) => reconcileRecord({ host, operation }, record, states.get(record.name)))
  if (!everywhere) return known
  const strangers = answer.states.filter((state) => !records.some((record) => record.name === state.name))
  return [...known, ...strangers.map((state) => adopt(host, state))]
}

function reconcileRecord(
  { host, operation }: { host: HostContext; operation: Operation },
  record: EnvironmentRecord,
  state: EnvironmentState | undefined,
): EnvironmentInfo[] {
  const beingMade = record.phase === 'creating' && host.state.locks.holder(record.name) !== undefined
  if (state === undefined) {
    if (beingMade) return [{ ...unknownInfo(record, undefined), status: 'creating' }]
    host.state.records.remove(record.name)
    if (record.phase === 'ready') operation.warn(`${record.name} was removed outside holm and is forgotten`)
    return []
  }
  if (record.phase === 'ready') return [infoOf(withLimits(state, record), record)]
  if (beingMade) return [{ ...infoOf(state, record), status: 'creating' }]
  return [
    {
      ...infoOf(state, record),
      status: 'failed',
      reason: 'left half-made by an interrupted up; the next up makes it anew',
    },
  ]
}

/** A runtime may list what it was told at creation, and know of a later resize only when it is asked for the one. */
function withLimits(state: EnvironmentState, { details }: EnvironmentRecord): EnvironmentState {
  if (details.limits === undefined || state.limits.length === 0) return state
  const resized = new Map(details.limits.map((limit) => [limit.name, limit]))
  const listed = state.limits.filter(({ name }) => !resized.has(name))
  return { ...state, limits: [...resized.values(), ...listed] }
}

function adopt(host: HostContext, state: EnvironmentState): EnvironmentInfo {
  const record = recordFromLabels(host.namespace, state)
  host.state.records.put(record)
  return infoOf(state, record)
}

/** Rebuilds the records of a lost state file from the labels of every runtime; called once, by whoever finds it lost. */
export async function rebuildRecords(host: HostContext, operation: Operation): Promise<number> {
  const providers = await allProviders(host)
  const answers = await Promise.all(providers.map((id) => askProvider(host, id, operation)))
  const states = answers.flatMap((answer) => answer.states ?? [])
  const missing = states.filter((state) => host.state.records.get(state.name) === undefined)
  for (const state of missing) host.state.records.put(recordFromLabels(host.namespace, state))
  return missing.length
}

function unknownInfo(record: EnvironmentRecord, reason: string | undefined): EnvironmentInfo {
  const state: EnvironmentState = {
    name: record.name,
    provider: record.provider,
    status: 'absent',
    labels: {},
    ports: [],
    limits: [],
  }
  return { ...infoOf(state, record), status: 'unknown', reason }
}
