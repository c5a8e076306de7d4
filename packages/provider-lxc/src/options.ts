import type { StandardIssue, StandardSchema } from '@holm/core'

/** The `lxc` section of a blueprint: what LXC can do and the common model has no word for. */
export interface LxcOptions {
  /** Bytes of /dev/shm. Default 64 MiB. */
  readonly shmSize?: number
  /** Lines of LXC's own configuration, each "lxc.key = value"; they come last and win. */
  readonly config?: readonly string[]
  /** The seccomp profile of LXC is applied unless this is false. */
  readonly seccomp?: boolean
}

type Check = (value: unknown) => string | undefined

const checks: Readonly<Record<keyof LxcOptions, Check>> = {
  shmSize: (value) =>
    Number.isSafeInteger(value) && Number(value) > 0 ? undefined : 'must be a number of bytes above 0',
  config: (value) =>
    Array.isArray(value) && value.every(isConfigLine)
      ? undefined
      : 'must be a list of lines "lxc.key = value"',
  seccomp: (value) => (typeof value === 'boolean' ? undefined : 'must be true or false'),
}

function isConfigLine(value: unknown): boolean {
  return typeof value === 'string' && /^lxc\.[a-z0-9_.]+\s*=[^\n\0]*$/.test(value)
}

export const optionsSchema: StandardSchema<LxcOptions> = {
  '~standard': {
    version: 1,
    vendor: 'holm',
    validate(value) {
      if (value === undefined || value === null) return { value: {} }
      if (typeof value !== 'object' || Array.isArray(value))
        return { issues: [{ message: 'must be an object' }] }
      const issues = Object.entries(value).flatMap(([key, item]) => checkKey(key, item))
      return issues.length > 0 ? { issues } : { value }
    },
  },
}

function checkKey(key: string, value: unknown): readonly StandardIssue[] {
  const check = Object.entries(checks).find(([name]) => name === key)?.[1]
  if (check === undefined)
    return [{ message: `unknown key; known are ${Object.keys(checks).join(', ')}`, path: [key] }]
  const message = check(value)
  return message === undefined ? [] : [{ message, path: [key] }]
}
