import type { StandardIssue, StandardSchema } from '@holm/core'

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

type Check = (value: unknown) => string | undefined

const text: Check = (value) => (typeof value === 'string' && value !== '' ? undefined : 'must be a text')
const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false')
const bytes: Check = (value) =>
  Number.isSafeInteger(value) && Number(value) > 0 ? undefined : 'must be a number of bytes above 0'
const texts: Check = (value) =>
  Array.isArray(value) && value.every((item) => text(item) === undefined)
    ? undefined
    : 'must be a list of texts'
const textMap: Check = (value) =>
  isRecord(value) && Object.values(value).every((item) => text(item) === undefined)
    ? undefined
    : 'must map names to texts'
const limitMap: Check = (value) =>
  isRecord(value) && Object.values(value).every(isUlimit)
    ? undefined
    : 'must map names to a number or to { soft, hard }'
const gpuSet: Check = (value) =>
  value === 'all' || (Number.isSafeInteger(value) && Number(value) > 0) || texts(value) === undefined
    ? undefined
    : 'must be a count, "all", or a list of device ids'

const checks: Readonly<Record<keyof DockerOptions, Check>> = {
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
}

export const optionsSchema: StandardSchema<DockerOptions> = objectSchema(checks)

/** The plugin's own configuration. */
export interface DockerConfig {
  /** Engine address; wins over DOCKER_HOST and the docker context. */
  readonly host?: string
}

export const configSchema: StandardSchema<DockerConfig> = objectSchema({ host: text })

/** An object of which every key is optional and checked; unknown keys are refused by name. */
function objectSchema<T>(table: Readonly<Record<string, Check>>): StandardSchema<T> {
  return {
    '~standard': {
      version: 1,
      vendor: 'holm',
      validate(value) {
        if (value === undefined || value === null) return { value: {} as T }
        if (!isRecord(value)) return { issues: [{ message: 'must be an object' }] }
        const issues = Object.entries(value).flatMap(([key, item]) => checkKey(table, key, item))
        return issues.length > 0 ? { issues } : { value: value as T }
      },
    },
  }
}

function checkKey(
  table: Readonly<Record<string, Check>>,
  key: string,
  value: unknown,
): readonly StandardIssue[] {
  const check = Object.hasOwn(table, key) ? table[key] : undefined
  if (!check) return [{ message: `unknown key; known are ${Object.keys(table).join(', ')}`, path: [key] }]
  const message = check(value)
  return message === undefined ? [] : [{ message, path: [key] }]
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isUlimit(value: unknown): boolean {
  if (Number.isSafeInteger(value)) return true
  return isRecord(value) && Number.isSafeInteger(value['soft']) && Number.isSafeInteger(value['hard'])
}
