import type { StandardIssue, StandardSchema } from '@holm/core'

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

type Check = (value: unknown) => string | undefined

const driver: Check = (value) =>
  value === 'tools' || value === 'incus' ? undefined : 'must be "tools" or "incus"'

const checks: Readonly<Record<keyof LxcOptions, Check>> = {
  shmSize: (value) =>
    Number.isSafeInteger(value) && Number(value) > 0 ? undefined : 'must be a number of bytes above 0',
  config: (value) =>
    Array.isArray(value) && value.every(isConfigLine)
      ? undefined
      : 'must be a list of lines "lxc.key = value"',
  seccomp: (value) => (typeof value === 'boolean' ? undefined : 'must be true or false'),
  driver,
}

function isConfigLine(value: unknown): boolean {
  return typeof value === 'string' && /^lxc\.[a-z0-9_.]+\s*=[^\n\0]*$/.test(value)
}

export const optionsSchema: StandardSchema<LxcOptions> = objectSchema(checks)

export const configSchema: StandardSchema<LxcConfig> = objectSchema({
  driver,
  socket: (value) =>
    typeof value === 'string' && value.startsWith('/') ? undefined : 'must be an absolute path',
})

/** An object of which every key is optional and checked; unknown keys are refused by name. */
function objectSchema<T extends object>(table: Readonly<Record<string, Check>>): StandardSchema<T> {
  return {
    '~standard': {
      version: 1,
      vendor: 'holm',
      validate(value) {
        if (value === undefined || value === null) return { value: {} as T }
        if (typeof value !== 'object' || Array.isArray(value))
          return { issues: [{ message: 'must be an object' }] }
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
  const check = Object.entries(table).find(([name]) => name === key)?.[1]
  if (check === undefined)
    return [{ message: `unknown key; known are ${Object.keys(table).join(', ')}`, path: [key] }]
  const message = check(value)
  return message === undefined ? [] : [{ message, path: [key] }]
}
