import { objectSchema, optionChecks } from '@holm/core'
import type { OptionCheck, StandardSchema } from '@holm/core'

/** The `docker` section of a blueprint: what the engine can do and the common model has no word for. */
export interface DockerOptions {
  /** Bytes of /dev/shm. */
  readonly shmSize?: number
  /** Name to soft and hard limit, or one number for both. */
  readonly ulimits?: Readonly<Record<string, number | { readonly soft: number; readonly hard: number }>>
  /** Host name to address, or `host-gateway`. */
  readonly extraHosts?: Readonly<Record<string, string>>
  readonly dns?: readonly string[]
  readonly dnsSearch?: readonly string[]
  /** Count, `all`, or device ids. */
  readonly gpus?: number | 'all' | readonly string[]
  /** OCI runtime, for example `runsc`. */
  readonly runtime?: string
  /** For example `linux/arm64`. */
  readonly platform?: string
  readonly readOnlyRoot?: boolean
  readonly sysctls?: Readonly<Record<string, string>>
  readonly groupAdd?: readonly string[]
  readonly ipc?: string
  readonly pid?: string
  readonly userns?: string
  readonly cpusetCpus?: string
  readonly macAddress?: string
  readonly networkAlias?: readonly string[]
}

const { text, texts, flag, bytes, textMap, limitMap } = optionChecks

const gpuSet: OptionCheck = (value) =>
  value === 'all' || (Number.isSafeInteger(value) && Number(value) > 0) || texts(value) === undefined
    ? undefined
    : 'must be a count, "all", or a list of device ids'

export const optionsSchema: StandardSchema<DockerOptions> = objectSchema<DockerOptions>({
  shmSize: bytes,
  ulimits: limitMap,
  extraHosts: textMap,
  dns: texts,
  dnsSearch: texts,
  gpus: gpuSet,
  runtime: text,
  platform: text,
  readOnlyRoot: flag,
  sysctls: textMap,
  groupAdd: texts,
  ipc: text,
  pid: text,
  userns: text,
  cpusetCpus: text,
  macAddress: text,
  networkAlias: texts,
})

/** The plugin's own configuration. */
export interface DockerConfig {
  /** Engine address; wins over DOCKER_HOST and the docker context. */
  readonly host?: string
}

export const configSchema: StandardSchema<DockerConfig> = objectSchema<DockerConfig>({ host: text })
