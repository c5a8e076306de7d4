import { join, posix, resolve } from 'node:path'
import type { Base, BindMount, EnvironmentSpec, Mount, SpecOverlay } from '../../spec.ts'
import { HolmError, isHolmError } from '../../errors.ts'
import type { BaseInfo, Provider, Traits } from '../../provider.ts'
import type { ProviderSelection, UpOptions } from '../../host-api.ts'
import {
  assertProviderOptions,
  hashSpec,
  loadBlueprint,
  toSpec,
  withBlueprint,
  type LoadedBlueprint,
} from '../blueprint/index.ts'
import type { HostContext } from '../context.ts'
import { assertDocker, forbidsDocker, nestDocker } from '../docker/index.ts'
import type { Operation } from '../operation.ts'
import { resolveFolder } from '../real-folder.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { labelsOf } from './labels.ts'
import { fetchBase } from './fetch-base.ts'
import { chooseName } from './name.ts'
import { companionsOf, misfits, needsOf, selectProvider, type Candidate } from './select-provider.ts'

/** What `up` is about to do, with nothing changed yet. */
export interface Plan {
  readonly loaded: LoadedBlueprint
  readonly name: string
  readonly record: EnvironmentRecord | undefined
  readonly provider: Provider
  readonly selection: ProviderSelection
  /** The spec as the blueprint alone declares it: what the hash is of. */
  readonly spec: EnvironmentSpec
  readonly overlay: SpecOverlay | undefined
  readonly hash: string
}

export interface Identity {
  readonly loaded: LoadedBlueprint
  readonly name: string
  readonly record: EnvironmentRecord | undefined
}

/** Which blueprint, and which environment it means. */
export async function identify(host: HostContext, options: UpOptions): Promise<Identity> {
  const cwd = resolveFolder(resolve(host.cwd, options.cwd ?? '.'), 'HOLM_BLUEPRINT_NOT_FOUND')
  const found = await loadResolved(host, options.blueprint, cwd)
  const loaded = options.project === undefined ? found : { ...found, project: options.project }
  const { name, record } = chooseName(host.state.records, {
    wanted: options.name,
    defaultName: loaded.defaultName,
    project: loaded.project,
    source: loaded.source,
  })
  return { loaded, name, record }
}

/** The blueprint with its parents, and with what plugins make of it. */
export async function loadResolved(
  host: HostContext,
  reference: string | undefined,
  cwd: string,
): Promise<LoadedBlueprint> {
  const { env, paths, runner, platform } = host
  const loaded = await loadBlueprint(reference, { cwd, env, paths, runner, platform })
  await host.registry.loadForHooks(['resolveBlueprint'])
  if (loaded.blueprint === undefined || !host.hooks.tapped('resolveBlueprint')) return loaded
  const { source, format, project } = loaded
  return withBlueprint(
    loaded,
    await host.hooks.resolve('resolveBlueprint', loaded.blueprint, { source, format, project }),
  )
}

export interface PlanInput {
  readonly host: HostContext
  readonly identity: Identity
  readonly options: UpOptions
  readonly operation: Operation
}

/** Chooses the provider and makes the spec; nothing is changed, but a base that a server has is fetched. */
export async function planUp({ host, identity, options, operation }: PlanInput): Promise<Plan> {
  await fetchBase(host, options.base ?? identity.loaded.base ?? host.config.values['base.default'], operation)
  const overlay = overlayOf(identity, options)
  const draft = createDraft(host, identity, { ...options, docker: overlay?.docker === true })
  const selection = await chooseProvider({ host, identity, options, operation, draft })
  const provider = await host.provider(selection.provider)
  const drafted = await draft(selection.provider, provider.traits)
  assertServices(host, provider, drafted.spec)
  for (const warning of new Set([...identity.loaded.warnings, ...drafted.warnings])) operation.warn(warning)
  assertDocker(host, provider, drafted.spec)
  const { spec, hash } = await finishSpec(host, provider, withOverlay(drafted.spec, overlay))
  return { ...identity, provider, selection, spec, overlay, hash }
}

/** What the caller adds now, or added when it was made; an engine inside is asked for beside the rest. */
function overlayOf({ record }: Identity, { overlay, docker }: UpOptions): SpecOverlay | undefined {
  const given = overlay ?? record?.details.overlay
  return docker === undefined ? given : { ...given, docker }
}

/** HOLM_BLUEPRINT_UNSUPPORTED for services that the provider cannot run: before anything is made. */
function assertServices(host: HostContext, { id, traits }: Provider, spec: EnvironmentSpec): void {
  const names = companionsOf(spec)
  if (names.length === 0 || traits.companions === true) return
  const able = host.registry
    .ids('provider')
    .filter((each) => host.registry.manifestOf('provider', each)?.traits?.companions === true)
  const where = able.length === 0 ? '' : `Use --provider ${able.join(' or ')}, or `
  const what = 'give each a command that runs inside the environment'
  throw new HolmError(
    'HOLM_BLUEPRINT_UNSUPPORTED',
    `the provider ${id} cannot run the service ${names.join(', ')} from an image`,
    {
      hint: where === '' ? `G${what.slice(1)}.` : `${where}${what}.`,
      details: { provider: id, services: names, able },
    },
  )
}

/** The declared spec with hash and labels. */
async function finishSpec(
  host: HostContext,
  provider: Provider,
  draft: EnvironmentSpec,
): Promise<{ spec: EnvironmentSpec; hash: string }> {
  const spec = await completeSpec(host, provider, draft)
  const hash = hashSpec(spec)
  const labels = { ...spec.labels, ...labelsOf({ namespace: host.namespace, spec, hash }) }
  return { spec: { ...spec, labels }, hash }
}

/** What plugins and the provider's own schema make of a spec. */
async function completeSpec(
  host: HostContext,
  provider: Provider,
  draft: EnvironmentSpec,
): Promise<EnvironmentSpec> {
  await host.registry.loadForHooks(['resolveSpec'])
  const resolved = await host.hooks.resolve('resolveSpec', draft, { project: draft.origin.project })
  const checked = await assertProviderOptions(
    resolved,
    provider.id,
    provider.optionsSchema,
    host.registry.ids('provider'),
  )
  return nestDocker(checked, provider.traits)
}

/** The same spec with what its base says of itself (image labels, user, variables); labels and hash stay the declared ones. */
export async function withBaseInfo(
  host: HostContext,
  plan: Plan,
  baseInfo: BaseInfo,
): Promise<EnvironmentSpec> {
  const companions = plan.provider.traits.companions === true
  const input = { name: plan.name, base: baseInfo.base, baseInfo, env: host.env, companions }
  const { spec } = toSpec(plan.loaded, input)
  const completed = await completeSpec(host, plan.provider, withOverlay(spec, plan.overlay))
  return { ...completed, labels: plan.spec.labels }
}

function readonlyMounts({ mounts, origin }: EnvironmentSpec, paths: readonly string[] = []): Mount[] {
  const project = mounts.filter(
    (mount): mount is BindMount => mount.type === 'bind' && mount.source === origin.project,
  )
  return project.flatMap(({ source, target }) =>
    paths.map((path): Mount => ({
      type: 'bind',
      source: join(source, path),
      target: posix.join(target, path),
      readonly: true,
    })),
  )
}

/** What the caller added wins over what the blueprint says. */
export function withOverlay(spec: EnvironmentSpec, overlay: SpecOverlay = {}): EnvironmentSpec {
  const { env, resources } = overlay
  const mounts = [...readonlyMounts(spec, overlay.readonlyPaths), ...(overlay.mounts ?? [])]
  const targets = new Set(mounts.map(({ target }) => target))
  return {
    ...spec,
    mounts: [...spec.mounts.filter(({ target }) => !targets.has(target)), ...mounts],
    exec: { ...spec.exec, env: { ...spec.exec.env, ...env } },
    resources: { ...spec.resources, ...resources },
    ...(overlay.docker === true && { nestedDocker: true as const }),
  }
}

type Draft = (
  provider: string,
  traits: Traits,
) => Promise<{ spec: EnvironmentSpec; warnings: readonly string[] }>

/** Resolves the base for a provider and translates the blueprint. A blueprint without a base takes what the provider is best at. */
function createDraft(host: HostContext, { loaded, name }: Identity, options: UpOptions): Draft {
  return async (_provider, traits) => {
    const request = options.base ?? loaded.base ?? defaultBase(host, traits)
    const directory = options.base === undefined ? loaded.directory : host.cwd
    const base: Base = await host.bases.resolve(request, { accepts: traits.bases, directory })
    const companions = traits.companions === true
    const drafted = toSpec(loaded, { name, base, env: host.env, labels: {}, companions })
    return { ...drafted, spec: withOverlay(drafted.spec, { docker: options.docker === true }) }
  }
}

function defaultBase(host: HostContext, traits: Traits): string {
  return traits.bases[0] === 'host' ? 'host' : host.config.values['base.default']
}

interface ChoiceInput extends PlanInput {
  readonly draft: Draft
}

async function chooseProvider(input: ChoiceInput): Promise<ProviderSelection> {
  // An unknown one is told as such, whatever else is wrong.
  if (input.options.provider !== undefined) await input.host.provider(input.options.provider)
  const fixed = fixedProvider(input)
  if (fixed !== undefined) return { ...fixed, considered: [] }
  const { host, operation, draft } = input
  await host.registry.loadForHooks(['selectProvider'])
  const ids = host.registry.ids('provider')
  if (ids.length === 0) {
    throw new HolmError('HOLM_PROVIDER_NONE', 'no provider is installed', {
      hint: 'Install one: holm plugins install @holm/provider-docker',
    })
  }
  const candidates = await Promise.all(ids.map((id) => candidateOf(host, id, draft)))
  const spec = host.hooks.tapped('selectProvider') ? await anySpec(candidates, draft) : undefined
  return selectProvider({
    candidates,
    probe: async (id, probeOptions) => (await host.provider(id)).probe(operation.context, probeOptions),
    ask:
      spec === undefined
        ? undefined
        : (probed) => host.hooks.select('selectProvider', { spec, candidates: probed }),
  })
}

/** A provider that was chosen by somebody: flag, existing environment, blueprint, configuration, in this order. */
function fixedProvider({
  host,
  identity,
  options,
}: ChoiceInput): { provider: string; reason: string } | undefined {
  const { record, loaded, name } = identity
  if (options.provider !== undefined) {
    if (record !== undefined && record.provider !== options.provider && options.recreate !== true)
      throw otherProvider(name, record.provider, options.provider)
    return { provider: options.provider, reason: `${options.provider}: asked for with --provider` }
  }
  if (record !== undefined)
    return { provider: record.provider, reason: `${record.provider}: the environment is there already` }
  if (loaded.preferredProvider !== undefined)
    return {
      provider: loaded.preferredProvider,
      reason: `${loaded.preferredProvider}: named by the blueprint`,
    }
  const configured = host.config.values.provider
  return configured === undefined
    ? undefined
    : { provider: configured, reason: `${configured}: named by the configuration` }
}

function otherProvider(name: string, existing: string, wanted: string): HolmError {
  return new HolmError(
    'HOLM_ENVIRONMENT_CONFLICT',
    `environment ${name} runs on ${existing}, not on ${wanted}`,
    {
      hint: `Add --recreate to move it (its own files are lost), or choose another --name.`,
      details: { name, provider: existing, wanted },
    },
  )
}

async function candidateOf(host: HostContext, id: string, draft: Draft): Promise<Candidate> {
  const traits = host.registry.manifestOf('provider', id)?.traits ?? (await host.provider(id)).traits
  return {
    id,
    traits,
    reasons: async () => {
      const drafted = await draftUnlessBaseless(draft, id, traits)
      if ('reason' in drafted) return [drafted.reason]
      const reasons = misfits(needsOf(drafted.spec), traits)
      const forbidden = reasons.length > 0 ? undefined : forbidsDocker(host, drafted.spec, traits)
      return forbidden === undefined ? reasons : [forbidden]
    },
  }
}

/** The base is the one thing that depends on the provider: not having it is no reason to give up on the others. */
async function draftUnlessBaseless(
  draft: Draft,
  id: string,
  traits: Traits,
): Promise<{ readonly spec: EnvironmentSpec } | { readonly reason: string }> {
  try {
    return await draft(id, traits)
  } catch (error) {
    if (!isHolmError(error, 'HOLM_BASE_NOT_FOUND')) throw error
    return { reason: error.message }
  }
}

/** What a plugin that wants to choose is shown. */
async function anySpec(candidates: readonly Candidate[], draft: Draft): Promise<EnvironmentSpec | undefined> {
  for (const { id, traits } of candidates) {
    const drafted = await draftUnlessBaseless(draft, id, traits)
    if ('spec' in drafted) return drafted.spec
  }
  return undefined
}
