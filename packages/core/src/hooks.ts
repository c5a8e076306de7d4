import type { EnvironmentSpec } from './spec.ts'
import type { Blueprint } from './blueprint.ts'
import type { EnvironmentState, ExecRequest, Probe, Traits } from './provider.ts'
import type { Exit, Process } from './process.ts'
import type { HolmEvent } from './events.ts'
import type { Companions, EnvironmentInfo } from './host-api.ts'

/**
 * Every hook with what its taps get. The first word of the name fixes the shape:
 * `resolve…` waterfall (must return the value) · `select…` first answer wins · `before…` series, throwing vetoes ·
 * `after…` series, all run, errors become warnings · `on…` observers.
 */
export interface HookPayloads {
  resolveConfig: { value: Readonly<Record<string, unknown>>; context: { readonly cwd: string } }
  resolveBlueprint: {
    value: Blueprint
    context: { readonly source: string; readonly format: string; readonly project: string }
  }
  resolveSpec: { value: EnvironmentSpec; context: { readonly project: string } }
  selectProvider: {
    context: { readonly spec: EnvironmentSpec; readonly candidates: readonly ProviderCandidate[] }
    result: string
  }
  beforeUp: { context: { readonly spec: EnvironmentSpec; readonly provider: string } }
  beforeProvision: { context: { readonly spec: EnvironmentSpec; readonly provider: string } }
  beforeExec: {
    context: { readonly environment: string; readonly provider: string; readonly request: ExecRequest }
  }
  beforeLifecycle: { context: Served }
  beforeReady: { context: Served }
  beforeStop: {
    context: { readonly environment: string; readonly provider: string; readonly served?: Served }
  }
  beforeRemove: { context: { readonly environment: string; readonly provider: string } }
  afterUp: {
    context: { readonly spec: EnvironmentSpec; readonly provider: string; readonly state: EnvironmentState }
  }
  afterExec: { context: { readonly environment: string; readonly request: ExecRequest; readonly exit: Exit } }
  afterStop: { context: { readonly environment: string } }
  afterRemove: { context: { readonly environment: string } }
  onEvent: { context: HolmEvent }
}

/** A running environment that a plugin does its part for, and a way in. */
export interface Served {
  readonly environment: EnvironmentInfo
  readonly signal: AbortSignal
  /** As `host.exec` does: the environment's user, folder and variables unless the request says otherwise. */
  exec(request: ExecRequest): Promise<Process>
  /** Its services that are made from an image. */
  readonly companions: Companions
  /** Names what is being waited for. */
  step<Result>(name: string, work: () => Promise<Result>): Promise<Result>
}

export type HookName = keyof HookPayloads

/** A provider that could run the spec, best first. */
export interface ProviderCandidate {
  readonly id: string
  readonly traits: Traits
  readonly probe: Probe
  /** Why it fits or does not. */
  readonly reasons: readonly string[]
  readonly fits: boolean
}

type Payload<Name extends HookName> = HookPayloads[Name]

/** What a tap of the hook looks like. All taps may be async. */
export type HookTap<Name extends HookName> =
  Payload<Name> extends { value: infer Value; context: infer Context }
    ? (value: Value, context: Context) => Value | Promise<Value>
    : Payload<Name> extends { context: infer Context; result: infer Result }
      ? (context: Context) => Result | undefined | Promise<Result | undefined>
      : Payload<Name> extends { context: infer Context }
        ? (context: Context) => void | Promise<void>
        : never
