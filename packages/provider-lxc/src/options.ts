import { objectSchema, optionChecks } from '@holm/core'
import type { OptionCheck, StandardSchema } from '@holm/core'

/** The `lxc` section of a blueprint: what LXC can do and the common model has no word for. */
export interface LxcOptions {
  /** Bytes of /dev/shm. Default 64 MiB. */
  readonly shmSize?: number
  /** Lines of LXC's own configuration, each "lxc.key = value"; they come last and win. */
  readonly config?: readonly string[]
  /** The seccomp profile of LXC is applied unless this is false. */
  readonly seccomp?: boolean
  /** Who runs it: LXC's own tools, or the daemon of Incus or LXD. Default: what this machine has. */
  readonly driver?: DriverName
}

export type DriverName = 'tools' | 'incus'

/** The plugin's own section of the configuration. */
export interface LxcConfig {
  readonly driver?: DriverName
  /** Path of the socket of Incus or LXD. */
  readonly socket?: string
}

const driver: OptionCheck = (value) =>
  value === 'tools' || value === 'incus' ? undefined : 'must be "tools" or "incus"'

function isConfigLine(value: unknown): boolean {
  return typeof value === 'string' && /^lxc\.[a-z0-9_.]+\s*=[^\n\0]*$/.test(value)
}

export const optionsSchema: StandardSchema<LxcOptions> = objectSchema<LxcOptions>({
  shmSize: optionChecks.bytes,
  config: (value) =>
    Array.isArray(value) && value.every(isConfigLine)
      ? undefined
      : 'must be a list of lines "lxc.key = value"',
  seccomp: optionChecks.flag,
  driver,
})

export const configSchema: StandardSchema<LxcConfig> = objectSchema<LxcConfig>({
  driver,
  socket: (value) =>
    typeof value === 'string' && value.startsWith('/') ? undefined : 'must be an absolute path',
})
