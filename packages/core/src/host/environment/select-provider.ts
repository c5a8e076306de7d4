import { HolmError } from '../../errors.ts'
import type { ProviderSelection } from '../../host-api.ts'
import type { ProviderCandidate } from '../../hooks.ts'
import type { Probe, ProbeOptions, Traits } from '../../provider.ts'
import type { EnvironmentSpec } from '../../spec.ts'

/** What a blueprint needs, told before a provider is chosen. */
export interface Needs {
  readonly mounts: ReadonlySet<'bind' | 'volume' | 'tmpfs'>
  readonly network: 'default' | 'none' | 'host' | 'named'
  /** Published ports whose number on this machine differs from the one inside. */
  readonly mapsPorts: boolean
  readonly privileged: boolean
  /** Services that are made from an image. */
  readonly companions: readonly string[]
  readonly nestedDocker?: boolean
}

export function needsOf(
  spec: Pick<EnvironmentSpec, 'mounts' | 'network' | 'ports' | 'security' | 'services' | 'nestedDocker'>,
): Needs {
  const { network } = spec
  return {
    mounts: new Set(spec.mounts.map((mount) => mount.type)),
    network: network === 'default' || network === 'none' || network === 'host' ? network : 'named',
    mapsPorts: spec.ports.some((port) => port.host !== undefined && port.host !== port.container),
    privileged: spec.security.privileged || spec.security.devices.length > 0,
    companions: companionsOf(spec),
    nestedDocker: spec.nestedDocker === true,
  }
}

/** Names of the services that are made from an image. */
export function companionsOf({ services }: Pick<EnvironmentSpec, 'services'>): readonly string[] {
  return services.filter(({ container }) => container !== undefined).map(({ name }) => name)
}

/** Why a provider with these traits cannot run it; empty when it can. */
export function misfits(needs: Needs, traits: Traits): string[] {
  const missing = [...needs.mounts].filter((kind) => !traits.mounts.includes(kind))
  return [
    ...missing.map((kind) => `has no ${kind} mounts`),
    ...(needs.companions.length > 0 && traits.companions !== true ? [imageless(needs.companions)] : []),
    ...(needs.companions.length > 0 || traits.networks.includes(needs.network)
      ? []
      : [`has no network "${needs.network}"`]),
    ...(needs.mapsPorts && !traits.mapsPorts ? ['cannot map a port to another number'] : []),
    ...(needs.nestedDocker === true && traits.nestedDocker !== true
      ? ['cannot run a Docker engine inside']
      : []),
    ...(needs.privileged && traits.isolation === 'process' ? ['has no privileged mode'] : []),
  ]
}

function imageless(names: readonly string[]): string {
  return `cannot run the service ${names.join(', ')} from an image`
}

const preference: Readonly<Record<Traits['isolation'], number>> = {
  container: 4,
  'system-container': 3,
  process: 2,
  vm: 1,
  none: 0,
}

/** Quick and well isolated first: containers, system containers, processes, virtual machines; of equals, what takes more kinds of base. */
export function byPreference(a: { id: string; traits: Traits }, b: { id: string; traits: Traits }): number {
  return (
    preference[b.traits.isolation] - preference[a.traits.isolation] ||
    b.traits.bases.length - a.traits.bases.length ||
    a.id.localeCompare(b.id)
  )
}

export interface Candidate {
  readonly id: string
  readonly traits: Traits
  /** Why it does not fit, by traits and base; empty when it fits. Only asked as far as the choice goes. */
  reasons(): Promise<readonly string[]>
}

export interface SelectionRequest {
  readonly candidates: readonly Candidate[]
  readonly probe: (id: string, options: ProbeOptions) => Promise<Probe>
  /** A plugin's word; it must name a candidate. Absent: no plugin wants to be asked. */
  readonly ask?: ((candidates: readonly ProviderCandidate[]) => Promise<string | undefined>) | undefined
}

/**
 * Best usable provider by traits and by what the blueprint needs; HOLM_PROVIDER_NONE says of each why not. They are asked one
 * after another, best first, up to the first that can be used: a runtime that nobody will use costs nothing. A plugin that
 * wants to choose sees all of them.
 */
export async function selectProvider(request: SelectionRequest): Promise<ProviderSelection> {
  const { ask } = request
  const candidates = request.candidates.toSorted(byPreference)
  if (ask !== undefined) return letChoose(request, { candidates, ask })
  const probed: ProviderCandidate[] = []
  for (const candidate of candidates) {
    const found = probed.some(({ fits }) => fits)
    probed.push(found ? unasked(candidate) : await probeCandidate(request, candidate, { quick: true }))
  }
  return takeBest(probed)
}

interface Choosing {
  readonly candidates: readonly Candidate[]
  readonly ask: NonNullable<SelectionRequest['ask']>
}

async function letChoose(
  request: SelectionRequest,
  { candidates, ask }: Choosing,
): Promise<ProviderSelection> {
  const probed = await Promise.all(candidates.map((candidate) => probeCandidate(request, candidate, {})))
  const asked = await ask(probed)
  if (asked === undefined) return takeBest(probed)
  return { provider: asked, reason: `${asked}: chosen by a plugin`, considered: listConsidered(probed) }
}

function takeBest(probed: readonly ProviderCandidate[]): ProviderSelection {
  const considered = listConsidered(probed)
  const best = probed.find((candidate) => candidate.fits)
  if (best) return { provider: best.id, reason: reasonOf(best), considered }
  throw noProvider(considered)
}

function listConsidered(probed: readonly ProviderCandidate[]): ProviderSelection['considered'] {
  return probed.map(({ id, fits, reasons }) => ({ id, fits, reasons }))
}

/** Comes after one that can be used. */
function unasked({ id, traits }: Candidate): ProviderCandidate {
  const probe = { usable: false, limitations: [] }
  return { id, traits, probe, fits: false, reasons: ['comes after it'] }
}

/** Names every provider with what is wrong with it. */
export function noProvider(considered: ProviderSelection['considered'], cause?: unknown): HolmError {
  const list = considered.map(({ id, reasons }) => `${id} ${reasons.join(', ')}`).join('; ')
  return new HolmError('HOLM_PROVIDER_NONE', `no usable provider: ${list}`, {
    hint: 'See what each one needs with: holm doctor',
    details: { considered },
    ...(cause === undefined ? {} : { cause }),
  })
}

async function probeCandidate(
  request: SelectionRequest,
  candidate: Candidate,
  options: ProbeOptions,
): Promise<ProviderCandidate> {
  const { id, traits } = candidate
  const misfit = await candidate.reasons()
  if (misfit.length > 0)
    return { id, traits, probe: { usable: false, limitations: [] }, fits: false, reasons: misfit }
  const probe = await request.probe(id, options)
  const reasons = probe.usable
    ? [`usable (${probe.version ?? traits.isolation})`]
    : [`not usable: ${probe.reason ?? 'no reason given'}`]
  return { id, traits, probe, fits: probe.usable, reasons }
}

/** Why the others did not do stands in `considered`. */
function reasonOf({ id, traits }: ProviderCandidate): string {
  return `${id}: the first usable one that fits (${traits.isolation})`
}
