import { HolmError, isHolmError } from '../../errors.ts'
import type { EnvironmentState } from '../../provider.ts'
import { requireFacet } from '../../facets.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import { provision } from '../provision/index.ts'
import { catalogue } from '../base/index.ts'
import { ownVolumes, startDockerInside } from '../docker/index.ts'
import type { HostContext } from '../context.ts'
import { portsTaken } from '../ports/leases.ts'
import type { Operation } from '../operation.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { abandonAfter, reactionMs } from './abandon.ts'
import { inspect } from './ask.ts'
import { assertPortsFree, assignPorts } from './assign-ports.ts'
import { adminOf, createInside } from './inside.ts'
import { runInitialize, runLifecycle, runsCommands } from './lifecycle.ts'
import { askUserEnv } from './user-env.ts'
import { startWithin } from './start.ts'
import { withBaseInfo, type Plan } from './plan.ts'
import { readSecrets } from './secrets.ts'
import { awaitFiles } from './serve.ts'

export interface Created {
  readonly state: EnvironmentState
  readonly spec: EnvironmentSpec
  readonly record: EnvironmentRecord
}

interface Work {
  readonly host: HostContext
  readonly plan: Plan
  readonly operation: Operation
}

/**
 * From nothing to a provisioned, running environment. The record says `creating` before the provider is asked, so that
 * a killed holm leaves something that the next one recognises as half-made.
 */
export async function createEnvironment(work: Work, keep: boolean): Promise<Created> {
  const { host, plan, operation } = work
  await runInitialize(host, { spec: plan.spec, operation })
  const record = draftRecord(host, plan)
  host.state.records.put(record)
  try {
    const created = await makeAndProvision(work, record)
    host.state.records.put(created.record)
    return created
  } catch (error) {
    const cause = await explainEnd(work, error)
    await leaveNothing(work, cause, keep)
    throw cause
  }
}

/** A command that was ended with its environment did not fail by itself. */
async function explainEnd({ plan, operation }: Work, error: unknown): Promise<unknown> {
  if (!isHolmError(error, 'HOLM_COMMAND_FAILED') && !isHolmError(error, 'HOLM_ENVIRONMENT_NOT_RUNNING'))
    return error
  const { name, provider } = plan
  const state = await inspect(provider, name, operation).catch(() => undefined)
  if (state === undefined || state.status === 'running' || state.status === 'paused') return error
  const step = operation.steps.length === 0 ? '' : ` after the step ${operation.steps.at(-1)?.step}`
  return new HolmError(
    'HOLM_ENVIRONMENT_FAILED',
    `environment ${name} ended${step}: ${state.reason ?? 'nobody said why'} (${error.message.split('\n')[0]})`,
    { hint: 'Run holm up again; when it ends again, see what this machine says: holm doctor', cause: error },
  )
}

async function makeAndProvision(work: Work, draft: EnvironmentRecord): Promise<Created> {
  const { plan, operation } = work
  const { provider } = plan
  const secrets = await readSecrets(plan.spec.secrets, {
    env: work.host.env,
    runner: work.host.runner,
    signal: operation.signal,
  })
  operation.hide(Object.values(secrets))
  const spec = await reservePorts(work, draft, await resolveBase(work))
  const image = await tryImage(work, spec)
  if (image === undefined) await createCold(work, spec)
  const state = await startWithin(work.host, provider, { name: plan.name, operation })
  if (image === undefined) await provisionCold(work, spec, secrets)
  else await finishClone(work, spec, image)
  await startDockerInside({ host: work.host, provider, operation, spec, user: state.user })
  const userEnv = runsCommands(spec) ? await askUserEnv({ provider, operation, spec }) : undefined
  const details = {
    ...detailsOf(plan, spec, userEnv),
    ...(state.user !== undefined && { runtimeUser: state.user }),
    ...(image !== undefined && { image }),
  }
  const record: EnvironmentRecord = { ...draft, phase: 'ready', details }
  await awaitFiles(work.host, { record: { ...draft, details }, state, operation })
  await runLifecycle({ provider, operation, spec, userEnv: userEnv ?? {}, secrets }, [
    'onCreate',
    'updateContent',
    'postCreate',
    'postStart',
    'postAttach',
  ])
  return { state, spec, record }
}

async function createCold(work: Work, spec: EnvironmentSpec): Promise<void> {
  const { plan, operation } = work
  await operation.step('create', () =>
    abandonAfter(plan.provider.create(spec, operation.context), operation.signal),
  )
  await pinDigest(work, spec)
}

/** Makes the environment from the golden image for what it installs, and says which; undefined when there is none. */
async function tryImage(work: Work, spec: EnvironmentSpec): Promise<string | undefined> {
  const { host, plan, operation } = work
  const { provider } = plan
  if (!provider.clone || !host.config.values['up.golden'] || host.state.images.list().length === 0)
    return undefined
  const golden = await import('../golden/use.ts')
  return golden.tryImage({ host, provider, operation, spec })
}

/** Nothing is left to be installed; what tells one machine from another is made anew. */
async function finishClone({ plan, operation }: Work, spec: EnvironmentSpec, image: string): Promise<void> {
  const { renewIdentity } = await import('../copies/identity.ts')
  operation.skip('provision', `golden image ${image}`)
  await renewIdentity({ provider: plan.provider, operation, spec })
}

async function provisionCold(
  work: Work,
  spec: EnvironmentSpec,
  secrets: Record<string, string>,
): Promise<void> {
  const { host, plan, operation } = work
  const since = performance.now()
  await provisionEnvironment(work, spec, secrets)
  if (!host.config.values['up.saveGolden']) return
  const { saveImage } = await import('../golden/use.ts')
  const tookMs = Math.round(performance.now() - since)
  await saveImage({ host, provider: plan.provider, operation, spec }, tookMs)
}

/** Writes the chosen ports down before anybody else chooses: one holm at a time. */
async function reservePorts(
  { host, plan }: Work,
  draft: EnvironmentRecord,
  spec: EnvironmentSpec,
): Promise<EnvironmentSpec> {
  if (!plan.provider.traits.mapsPorts) {
    if (spec.network !== 'none') await assertPortsFree(spec)
    return spec
  }
  if (spec.ports.every((port) => port.host !== undefined)) return spec
  return host.state.locks.holdWaiting('@ports', 'choosing ports', async () => {
    const range = { first: host.config.values['ports.first'], last: host.config.values['ports.last'] }
    const assigned = await assignPorts(spec, { range, taken: portsTaken(host.state) })
    host.state.records.put({ ...draft, details: detailsOf(plan, assigned, undefined) })
    return assigned
  })
}

/** What must be known of the base before the environment is made: a Dockerfile is built, an image's metadata is read. */
export async function resolveBase({ host, plan, operation }: Work): Promise<EnvironmentSpec> {
  const { provider, spec, loaded } = plan
  const { base } = spec
  if (base.kind === 'build') {
    const info = await operation.step('build', () =>
      requireFacet(provider, 'build').build(base, operation.context),
    )
    return withBaseInfo(host, plan, info)
  }
  if (loaded.format !== 'devcontainer' || !provider.images || base.kind === 'host') return spec
  const { images } = provider
  const info =
    (await images.inspect(base, operation.context)) ??
    (await operation.step('base', () => images.prepare(base, operation.context)))
  return withBaseInfo(host, plan, info)
}

/** What the catalogue's image was at its first use is what it stays (docs/adr/0006). */
async function pinDigest({ host, plan, operation }: Work, { base }: EnvironmentSpec): Promise<void> {
  if (base.kind !== 'image' || base.digest !== undefined || !plan.provider.images) return
  if (!catalogue.some((entry) => entry.image === base.reference)) return
  const info = await plan.provider.images.inspect(base, operation.context)
  if (info?.base.kind === 'image' && info.base.digest !== undefined)
    await host.bases.recordDigest(base.reference, info.base.digest)
}

export async function provisionEnvironment(
  work: Work,
  spec: EnvironmentSpec,
  secrets: Record<string, string>,
): Promise<void> {
  const { host, plan, operation } = work
  await host.registry.loadForHooks(['beforeProvision'])
  await host.hooks.before('beforeProvision', { spec, provider: plan.provider.id })
  const inside = createInside({
    provider: plan.provider,
    name: plan.name,
    operation,
    // Packages and scripts are installed by the environment's administrator, whoever works in it later.
    defaults: {
      spec: { ...spec, exec: { env: {}, probe: 'none' } },
      user: adminOf(plan.provider),
      workdir: undefined,
      userEnv: {},
      secrets,
    },
  })
  try {
    await provision(spec, inside, operation)
  } catch (error) {
    throw await explainEnd(work, error)
  }
}

function draftRecord(host: HostContext, plan: Plan): EnvironmentRecord {
  return {
    namespace: host.namespace,
    name: plan.name,
    provider: plan.provider.id,
    phase: 'creating',
    project: plan.loaded.project,
    source: plan.loaded.source,
    hash: plan.hash,
    createdAt: new Date().toISOString(),
    details: detailsOf(plan, plan.spec, undefined),
  }
}

function detailsOf(
  plan: Plan,
  spec: EnvironmentSpec,
  userEnv: Readonly<Record<string, string>> | undefined,
): EnvironmentRecord['details'] {
  return {
    blueprint: spec.origin.blueprint,
    spec,
    declared: plan.spec,
    ...(plan.loaded.check === undefined ? {} : { check: plan.loaded.check }),
    ...(plan.overlay === undefined ? {} : { overlay: plan.overlay }),
    ...(userEnv === undefined ? {} : { userEnv }),
    ...(spec.exec.user === undefined ? {} : { user: spec.exec.user }),
    ...(spec.exec.workdir === undefined ? {} : { workdir: spec.exec.workdir }),
  }
}

interface HalfMade {
  readonly host: HostContext
  readonly plan: Pick<Plan, 'name' | 'provider' | 'spec'> & Partial<Pick<Plan, 'record'>>
  readonly operation: Operation
}

/** Removes what a failed or interrupted creation left, and says so; with `keep` it stays for a look inside. */
export async function leaveNothing(
  { host, plan, operation }: HalfMade,
  cause: unknown,
  keep: boolean,
): Promise<void> {
  const { name, provider } = plan
  if (keep) {
    operation.warn(
      `kept the failed environment ${name}`,
      `Look inside with: holm shell ${name}; then remove it: holm destroy ${name}`,
    )
    return
  }
  const controller = new AbortController()
  const timer = setTimeout(() => {
    const message = `${provider.id} did not answer within ${reactionMs / 1000} s`
    controller.abort(new HolmError('HOLM_TIMEOUT', message))
  }, reactionMs)
  const cleaning = operation.withSignal(controller.signal)
  try {
    await abandonAfter(removeHalfMade({ host, plan, operation: cleaning }, cause), controller.signal, 0)
  } catch (error) {
    operation.warn(
      `the half-made environment ${name} could not be removed: ${(error as Error).message}`,
      `Remove it with: holm destroy ${name}`,
    )
  } finally {
    clearTimeout(timer)
  }
}

async function removeHalfMade({ host, plan, operation }: HalfMade, cause: unknown): Promise<void> {
  const { name, provider } = plan
  // Where the runtime was not there to be asked, nothing was made.
  if (
    isHolmError(cause, 'HOLM_PROVIDER_UNAVAILABLE') &&
    cause.details?.['lost'] !== true &&
    !operation.steps.some(({ step }) => step === 'create' || step === 'clone')
  ) {
    host.state.records.remove(name)
    return
  }
  const { status } = await inspect(provider, name, operation)
  // A name that another holm won belongs to it.
  if (status !== 'absent' && !isConflict(cause)) {
    // Never the volumes: they may hold what an earlier environment of this name wrote.
    const own = plan.record === undefined ? ownVolumes(plan.spec) : []
    await provider.remove(name, { volumes: false, own }, operation.context)
    operation.warn(
      `removed the half-made environment ${name}`,
      'Keep it for a look inside with: holm up --keep',
    )
    warnOfVolumes(operation, plan.spec, own)
  }
  host.state.records.remove(name)
}

function warnOfVolumes(
  operation: Operation,
  { name, mounts }: EnvironmentSpec,
  removed: readonly string[],
): void {
  const named = mounts
    .flatMap((mount) => (mount.type === 'volume' ? (mount.source ?? []) : []))
    .filter((source) => !removed.includes(source))
  if (named.length === 0) return
  operation.warn(
    `kept the ${named.length === 1 ? 'volume' : 'volumes'} ${named.join(', ')}, which may hold data of before`,
    `Remove what no other environment uses with: holm destroy ${name} --volumes`,
  )
}

function isConflict(error: unknown): boolean {
  const code = (error as { code?: string }).code
  return code === 'HOLM_ENVIRONMENT_CONFLICT' || code === 'HOLM_ENVIRONMENT_BUSY'
}
