import { HolmError } from '@holm/core'
import type { EnvironmentSpec, PortBinding } from '@holm/core'
import type { LxcOptions } from '../options.ts'
import { key } from './names.ts'

/** What the daemon says of an instance. */
export interface Instance {
  readonly name: string
  readonly status: string
  readonly architecture: string
  readonly created_at: string
  readonly last_used_at: string
  readonly config: Readonly<Record<string, string>>
  readonly devices: Readonly<Record<string, Device>>
}

export type Device = Readonly<Record<string, string>>

/**
 * How numeric ids inside relate to those of this machine. `mapped`: those of bind mounts are translated, nothing inside has an id that
 * anybody has outside. `same`: where the daemon cannot translate; still in a user namespace. `root`: a privileged environment has none.
 */
export type Ids = 'mapped' | 'same' | 'root'

/** Kept in the instance's own configuration: what an environment was made from, and how it was last started. */
export interface IncusRecord extends Pick<
  EnvironmentSpec,
  | 'name'
  | 'hostname'
  | 'main'
  | 'env'
  | 'mounts'
  | 'ports'
  | 'network'
  | 'resources'
  | 'security'
  | 'labels'
  | 'matchUserId'
> {
  readonly user?: string
  readonly options: LxcOptions
  readonly ids: Ids
  /** File of what its main process wrote. */
  readonly log: string
  /** Of the last start. */
  readonly bindings: readonly PortBinding[]
}

export function createRecord(spec: EnvironmentSpec, log: string): IncusRecord {
  const { name, hostname, main, env, mounts, ports, network, resources, security, labels, matchUserId } = spec
  return {
    name,
    hostname,
    main,
    env,
    mounts,
    ports,
    network,
    resources,
    security,
    labels,
    matchUserId,
    ...(spec.user === undefined ? {} : { user: spec.user }),
    options: spec.options['lxc'] ?? {},
    ids: security.privileged ? 'root' : 'mapped',
    log,
    bindings: [],
  }
}

/** HOLM_ENVIRONMENT_FAILED for an instance that somebody has changed by hand. */
export function parseRecord(instance: Pick<Instance, 'name' | 'config'>): IncusRecord {
  try {
    const record: IncusRecord = JSON.parse(instance.config[key.record] ?? '')
    return record
  } catch (cause) {
    throw new HolmError(
      'HOLM_ENVIRONMENT_FAILED',
      `${key.record} of the instance ${instance.name} cannot be read`,
      {
        cause,
        hint: 'Remove the instance with the tools of Incus or LXD.',
      },
    )
  }
}
