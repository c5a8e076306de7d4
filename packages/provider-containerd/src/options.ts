import { HolmError } from '@holm/core'
import type { EnvironmentSpec, StandardIssue, StandardSchema } from '@holm/core'

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
const socket: Check = (value) =>
  typeof value === 'string' && /^(unix:\/\/)?\//.test(value)
    ? undefined
    : 'must be the absolute path of a socket'

const checks: Readonly<Record<keyof ContainerdOptions, Check>> = {
  shmSize: bytes,
  ulimits: limitMap,
  extraHosts: textMap,
  dns: texts,
  dnsSearch: texts,
  readOnlyRoot: flag,
  sysctls: textMap,
  runtime: text,
}

export const optionsSchema: StandardSchema<ContainerdOptions> = objectSchema(checks)

/** The plugin's own configuration. */
export interface ContainerdConfig {
  /** Path of containerd's socket; wins over CONTAINERD_ADDRESS. */
  readonly address?: string
}

export const configSchema: StandardSchema<ContainerdConfig> = objectSchema({ address: socket })

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
