import { requireFacet } from '../../facets.ts'
import type { BuildOptions, BuildResult } from '../../copies-api.ts'
import type { Provider } from '../../provider.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import { HolmError, isHolmError } from '../../errors.ts'
import type { HostContext } from '../context.ts'
import { provisionEnvironment, resolveBase } from '../environment/create.ts'
import { identify, planUp, type Plan } from '../environment/plan.ts'
import { readSecrets } from '../environment/secrets.ts'
import { startWithin } from '../environment/start.ts'
import type { Operation } from '../operation.ts'
import { holdPatiently } from '../patience.ts'
import type { ImageRecord } from '../state/index.ts'
import { goldenName, installsAnything } from './hash.ts'
import { imageOf } from './images.ts'
import { hashOf, imageRecord, imageSpec } from './use.ts'

interface Build {
  readonly host: HostContext
  readonly plan: Plan
  readonly operation: Operation
  readonly spec: EnvironmentSpec
  readonly hash: string
}

/** Provisions the blueprint once, into a hidden, stopped environment that `up` clones. */
export async function buildImage(host: HostContext, options: BuildOptions): Promise<BuildResult> {
  const identity = await identify(host, options)
  const operation = host.operation(identity.name, options)
  const plan = await planUp({ host, identity: { ...identity, record: undefined }, options, operation })
  requireFacet(plan.provider, 'clone')
  const spec = await prepareBase(host, plan, operation)
  if (!installsAnything(spec)) throw nothingToBuild(plan)
  const hash = await hashOf({ host, provider: plan.provider, operation, spec })
  if (hash === undefined) throw new HolmError('HOLM_BUG', 'the base is there and cannot be identified')
  const build = { host, plan, operation, spec, hash }
  const { record, outcome } = await holdPatiently(
    { host, name: goldenName(hash), work: 'building a golden image', operation },
    () => buildLocked(build, options.noCache === true),
  )
  return {
    image: imageOf(host, record),
    outcome,
    selection: plan.selection,
    steps: operation.steps,
    warnings: operation.warnings,
  }
}

/** The image must be there before its content can be told. */
async function prepareBase(host: HostContext, plan: Plan, operation: Operation): Promise<EnvironmentSpec> {
  const spec = await resolveBase({ host, plan, operation })
  const { images } = plan.provider
  if (spec.base.kind !== 'image' || !images) return spec
  if (!(await images.inspect(spec.base, operation.context)))
    await operation.step('base', () => images.prepare(spec.base, operation.context))
  return spec
}

function nothingToBuild({ spec }: Plan): HolmError {
  return new HolmError('HOLM_USAGE', `the blueprint ${spec.origin.blueprint} installs nothing`, {
    hint: 'It needs no golden image: run holm up.',
  })
}

async function buildLocked(
  build: Build,
  noCache: boolean,
): Promise<{ record: ImageRecord; outcome: BuildResult['outcome'] }> {
  const { host, plan, operation, hash } = build
  const { provider } = plan
  const name = goldenName(hash)
  const known = host.state.images.get(name)
  const { status } = await provider.inspect(name, operation.context)
  if (known && status === 'stopped' && !noCache) return { record: known, outcome: 'present' }
  host.state.images.remove(name)
  // Half-made by a holm that was killed, or to be replaced.
  if (status !== 'absent')
    for (const each of [`${name}-try`, name])
      await provider.remove(each, { volumes: true }, operation.context)
  try {
    const record = await makeImage(build)
    host.state.images.put(name, record)
    return { record, outcome: known ? 'rebuilt' : 'built' }
  } catch (error) {
    await removeQuietly(build, name)
    throw error
  }
}

async function makeImage({ host, plan, operation, spec, hash }: Build): Promise<ImageRecord> {
  const since = performance.now()
  const { provider } = plan
  const secrets = await readSecrets(spec.secrets, {
    env: host.env,
    runner: host.runner,
    signal: operation.signal,
  })
  operation.hide(Object.values(secrets))
  const own = imageSpec({ host, spec }, hash)
  await operation.step('create', () => provider.create(own, operation.context))
  await startWithin(host, provider, { name: own.name, operation })
  await provisionEnvironment({ host, plan: { ...plan, name: own.name, spec: own }, operation }, own, secrets)
  const options = { graceMs: host.config.values['stop.grace'] }
  await operation.step('stop', () => provider.stop(own.name, options, operation.context))
  await operation.step('try', () => tryClone(provider, own, operation))
  return imageRecord({ provider, spec }, hash, Math.round(performance.now() - since))
}

/**
 * Shows that the image can be cloned, while somebody waits for it anyway: what a runtime has to prepare for the first clone is
 * then done, and no `up` pays for it.
 */
async function tryClone(provider: Provider, own: EnvironmentSpec, { context }: Operation): Promise<void> {
  const name = `${own.name}-try`
  await requireFacet(provider, 'clone').clone(own.name, { ...own, name, hostname: name }, context)
  await provider.remove(name, { volumes: true }, context)
}

const cleanUpMs = 30_000

/** An image that failed is of no use to anybody; what cannot be removed now is found by the next build or by prune. */
async function removeQuietly({ plan, operation }: Build, name: string): Promise<void> {
  const cleaning = operation.withSignal(AbortSignal.timeout(cleanUpMs))
  try {
    for (const each of [`${name}-try`, name])
      await plan.provider.remove(each, { volumes: true }, cleaning.context)
  } catch (error) {
    if (!isHolmError(error)) throw error
    cleaning.warn(`the half-made ${name} could not be removed: ${error.message}`, 'Run: holm image prune')
  }
}
