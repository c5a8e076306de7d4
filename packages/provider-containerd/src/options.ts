import { HolmError, objectSchema, optionChecks } from '@holm/core'
import type { EnvironmentSpec, OptionCheck, StandardSchema } from '@holm/core'

/** The `containerd` section of a blueprint: what the common model has no word for. */
export interface ContainerdOptions {
  /** Bytes of /dev/shm. */
  readonly shmSize?: number
  /** Name to soft and hard limit, or one number for both. */
  readonly ulimits?: Readonly<Record<string, number | { readonly soft: number; readonly hard: number }>>
  /** Host name to address, written to /etc/hosts. */
  readonly extraHosts?: Readonly<Record<string, string>>
  readonly dns?: readonly string[]
  readonly dnsSearch?: readonly string[]
  readonly readOnlyRoot?: boolean
  readonly sysctls?: Readonly<Record<string, string>>
  /** Name of containerd's runtime, for example `io.containerd.runsc.v1`. */
  readonly runtime?: string
}

const { text, texts, flag, bytes, textMap, limitMap } = optionChecks

const socket: OptionCheck = (value) =>
  typeof value === 'string' && /^(unix:\/\/)?\//.test(value)
    ? undefined
    : 'must be the absolute path of a socket'

export const optionsSchema: StandardSchema<ContainerdOptions> = objectSchema<ContainerdOptions>({
  shmSize: bytes,
  ulimits: limitMap,
  extraHosts: textMap,
  dns: texts,
  dnsSearch: texts,
  readOnlyRoot: flag,
  sysctls: textMap,
  runtime: text,
})

/** The plugin's own configuration. */
export interface ContainerdConfig {
  /** Path of containerd's socket; wins over CONTAINERD_ADDRESS. */
  readonly address?: string
}

export const configSchema: StandardSchema<ContainerdConfig> = objectSchema<ContainerdConfig>({
  address: socket,
})

export function containerdOptions(spec: EnvironmentSpec): ContainerdOptions {
  const result = optionsSchema['~standard'].validate(spec.options['containerd'])
  if (result instanceof Promise)
    throw new HolmError('HOLM_BUG', 'the schema of the containerd section is asynchronous')
  if (!result.issues) return result.value
  const [first] = result.issues
  const [key] = first?.path ?? []
  throw new HolmError(
    'HOLM_BLUEPRINT_INVALID',
    `providers.containerd.${typeof key === 'string' ? key : ''}: ${first?.message ?? 'invalid'}`,
    { hint: 'Correct the containerd section of the blueprint.' },
  )
}
