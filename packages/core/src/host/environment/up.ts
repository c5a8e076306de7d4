import { HolmError, isHolmError } from '../../errors.ts'
import type { HolmEvent } from '../../events.ts'
import { requireFacet } from '../../facets.ts'
import type { UpOptions, UpResult } from '../../host-api.ts'
import type { EnvironmentState } from '../../provider.ts'
import { diffSpecs } from '../blueprint/index.ts'
import { removeCompanions } from '../companions/end.ts'
import { companionRecords } from '../companions/records.ts'
import type { HostContext } from '../context.ts'
import { ownVolumes } from '../docker/index.ts'
import type { Operation } from '../operation.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { inspect } from './ask.ts'
import { createEnvironment } from './create.ts'
import { forgetOwned } from './destroy.ts'
import { noProvider } from './select-provider.ts'
import { serve } from './serve.ts'
import { infoOf } from './info.ts'
import { runStartStages, wakeRecorded } from './manage.ts'
import { identify, planUp, type Plan } from './plan.ts'

interface Outcome {
  readonly outcome: UpResult['outcome']
  readonly state: EnvironmentState
  readonly record: EnvironmentRecord
}

/** find -> parse -> validate -> choose a provider -> create or start -> provision -> how to enter (docs/guide/up.md). */
export async function up(host: HostContext, options: UpOptions): Promise<UpResult> {
  const watch = watchSteps(options.onEvent)
  const deadline = createDeadline(host.config.values['up.timeout'], options.signal, watch.describe)
  try {
    return await upBefore(host, { ...options, signal: deadline.signal, onEvent: watch.onEvent })
  } finally {
    deadline.clear()
  }
}

interface StepWatch {
  readonly onEvent: (event: HolmEvent) => void
  /** What runs now, and the last lines that it printed. */
  readonly describe: () => { readonly step: string | undefined; readonly lines: readonly string[] }
}

const shownLines = 10

function watchSteps(onEvent: UpOptions['onEvent']): StepWatch {
  let step: string | undefined
  let lines: string[] = []
  return {
    onEvent(event) {
      if (event.type === 'step-started') [step, lines] = [event.step, []]
      if (event.type === 'output') lines = [...lines, ...event.text.trimEnd().split('\n')].slice(-shownLines)
      onEvent?.(event)
    },
    describe: () => ({ step, lines }),
  }
}

/** The caller's signal, and one that fires at the deadline with a reason that says what was waited for. */
function createDeadline(
  timeoutMs: number,
  signal: AbortSignal | undefined,
  describe: StepWatch['describe'],
): { signal: AbortSignal; clear: () => void } {
  const controller = new AbortController()
  const timer = setTimeout(() => {
    const { step, lines } = describe()
    const where = step === undefined ? '' : `; it was at the step ${step}`
    const message = [`up did not finish within ${timeoutMs / 1000} s${where}`, ...lines].join('\n')
    controller.abort(
      new HolmError('HOLM_TIMEOUT', message, {
        hint: 'Correct that step, or allow more time: holm config set up.timeout 60m',
        details: { timeoutMs, ...(step === undefined ? {} : { step }) },
      }),
    )
  }, timeoutMs)
  timer.unref()
  return {
    signal: signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
    clear: () => clearTimeout(timer),
  }
}

async function upBefore(host: HostContext, options: UpOptions): Promise<UpResult> {
  const identity = await identify(host, options)
  const operation = host.operation(identity.name, options)
  const plan = await planUp({ host, identity, options, operation })
  const changed = changedKeys(plan)
  const { outcome, state, record } =
    (await alreadyUp({ host, plan, operation, options })) ??
    (await bringUp({ host, plan, operation, options }))
  await serve(host, { record, state, operation })
  await host.registry.loadForHooks(['afterUp'])
  await host.hooks.after('afterUp', { spec: plan.spec, provider: plan.provider.id, state })
  return {
    environment: infoOf(state, record),
    outcome,
    changed: outcome === 'created' || outcome === 'recreated' ? [] : changed,
    selection: plan.selection,
    ...((outcome === 'created' || outcome === 'recreated') &&
      record.details.image !== undefined && { image: record.details.image }),
    steps: operation.steps,
    warnings: operation.warnings,
  }
}

interface Work {
  readonly host: HostContext
  readonly plan: Plan
  readonly operation: Operation
  readonly options: UpOptions
}

function changedKeys({ record, spec, hash }: Plan): string[] {
  if (record === undefined || record.phase === 'creating' || record.hash === hash) return []
  const before = record.details.declared ?? record.details.spec
  return before === undefined ? ['blueprint'] : diffSpecs(before, spec)
}

/** The fast way out: it runs, nobody works on it, and nothing else was asked for. Takes no lock. */
async function alreadyUp({ host, plan, operation, options }: Work): Promise<Outcome | undefined> {
  const { record, name, provider } = plan
  if (record === undefined || record.phase !== 'ready' || options.recreate === true) return undefined
  if (host.state.locks.holder(name)) return undefined
  const state = await inspect(provider, name, operation)
  return state.status === 'running' ? { outcome: 'running', state, record } : undefined
}

async function bringUp(work: Work): Promise<Outcome> {
  const { host, plan, operation } = work
  return host.state.locks.hold(plan.name, 'up', async () => {
    await host.registry.loadForHooks(['beforeUp'])
    await host.hooks.before('beforeUp', { spec: plan.spec, provider: plan.provider.id })
    const outcome = await bringUpLocked(work)
    operation.emit({
      type: 'state',
      environment: plan.name,
      status: outcome.state.status,
      message: outcome.outcome,
    })
    return outcome
  })
}

async function bringUpLocked(work: Work): Promise<Outcome> {
  const { host, plan, operation, options } = work
  // Read again under the lock: another holm may have finished in between.
  const record = host.state.records.get(plan.name)
  if (record === undefined) return create(work, 'created')
  const existing = await inspectExisting(host, record, operation)
  if (existing.status === 'absent') {
    if (record.phase === 'ready')
      operation.warn(`environment ${plan.name} was removed outside holm; making it anew`)
    return create(work, 'created')
  }
  if (record.phase === 'creating') {
    operation.warn(`removed the half-made environment ${plan.name} that an interrupted up left`)
    await removeExisting(work, record)
    return create(work, 'created')
  }
  if (options.recreate === true) {
    const lost = await assertSnapshotsMayGo(work, record)
    await operation.step('remove', () => removeExisting(work, record))
    if (lost.length > 0) operation.warn(`the snapshots of ${plan.name} went with it: ${lost.join(', ')}`)
    return create(work, 'recreated')
  }
  return wake(work, record, existing)
}

async function inspectExisting(
  host: HostContext,
  record: EnvironmentRecord,
  operation: Operation,
): Promise<EnvironmentState> {
  return inspect(await host.provider(record.provider), record.name, operation)
}

/** Names of the snapshots that a removal takes along. */
async function assertSnapshotsMayGo(
  { host, operation, options }: Work,
  { name, provider: id }: EnvironmentRecord,
): Promise<readonly string[]> {
  const { snapshots } = await host.provider(id)
  const names = ((await snapshots?.list(name, operation.context)) ?? []).map((each) => each.name)
  if (names.length === 0 || options.removeSnapshots === true) return names
  throw new HolmError(
    'HOLM_CONFIRMATION_REQUIRED',
    `making ${name} anew removes its snapshots: ${names.join(', ')}`,
    {
      hint: 'Pass --yes to go ahead, or keep them in an archive: holm export',
      details: { name, snapshots: names },
    },
  )
}

/** Through the provider that has it, which with --recreate --provider is not the one it will be made on. */
async function removeExisting({ host, operation, plan }: Work, record: EnvironmentRecord): Promise<void> {
  const provider = await host.provider(record.provider)
  const kept = provider.id === plan.provider.id ? ownVolumes(plan.spec) : []
  const own = ownVolumes(record.details.spec).filter((name) => !kept.includes(name))
  await provider.remove(record.name, { volumes: false, own }, operation.context)
  host.state.records.remove(record.name)
  const records = companionRecords(host, record.name)
  await removeCompanions(host, { name: record.name, provider, operation }, { records, volumes: false })
  await forgetOwned(host, record)
}

/** A provider that was taken unasked and turns out not to be usable: then none was, and the others' reasons matter. */
function explainUnusable({ plan }: Work, error: unknown): unknown {
  const { selection } = plan
  if (selection.considered.length < 2 || !isHolmError(error, 'HOLM_PROVIDER_UNAVAILABLE')) return error
  const considered = selection.considered.map((each) =>
    each.id === selection.provider
      ? { ...each, fits: false, reasons: [`not usable: ${error.message}`] }
      : each,
  )
  return noProvider(considered, error)
}

async function create(work: Work, outcome: 'created' | 'recreated'): Promise<Outcome> {
  const { host, plan, operation, options } = work
  const keep = options.keep ?? host.config.values['up.keep']
  if (plan.spec.nestedDocker === true && plan.provider.traits.isolation !== 'vm')
    operation.warn(
      `Docker inside ${plan.name} has full rights: who works in there can take over this machine`,
      'Where that matters, run it in a virtual machine: holm up --provider qemu',
    )
  const { state, record } = await createEnvironment({ host, plan, operation }, keep).catch(
    (error: unknown) => {
      throw explainUnusable(work, error)
    },
  )
  return { outcome, state, record }
}

async function wake(work: Work, record: EnvironmentRecord, existing: EnvironmentState): Promise<Outcome> {
  const { plan, operation } = work
  const { provider, name } = plan
  switch (existing.status) {
    case 'running':
      return { outcome: 'running', state: existing, record }
    case 'paused': {
      const state = await operation.step('resume', () =>
        requireFacet(provider, 'pause').resume(name, operation.context),
      )
      return { outcome: 'started', state, record }
    }
    case 'failed':
      throw new HolmError(
        'HOLM_ENVIRONMENT_FAILED',
        `environment ${name} is broken: ${existing.reason ?? 'no reason known'}`,
        {
          hint: 'Make it anew with: holm up --recreate',
          details: { name, reason: existing.reason },
        },
      )
    default:
      return start(work, record)
  }
}

async function start(work: Work, record: EnvironmentRecord): Promise<Outcome> {
  const { host, plan, operation } = work
  const state = await wakeRecorded(host, { record, provider: plan.provider, operation })
  await runStartStages(host, { record, provider: plan.provider, operation })
  return { outcome: 'started', state, record }
}
