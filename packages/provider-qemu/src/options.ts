import type { StandardIssue, StandardSchema } from '@holm/core'
import type { QemuOptions } from './record.ts'

type Check = (value: unknown) => string | undefined

const file: Check = (value) =>
  typeof value === 'string' && value.startsWith('/') ? undefined : 'must be an absolute path'

const checks: Readonly<Record<keyof QemuOptions, Check>> = {
  kernel: file,
  modules: file,
  cpu: (value) =>
    typeof value === 'string' && /^[A-Za-z0-9_.+=-][A-Za-z0-9_.,+=-]*$/.test(value)
      ? undefined
      : 'must be a CPU model',
  arch: (value) => (value === 'x86_64' || value === 'aarch64' ? undefined : 'must be "x86_64" or "aarch64"'),
  userData: (value) =>
    typeof value === 'string' && value.startsWith('#')
      ? undefined
      : 'must be what cloud-init takes: text that begins with "#cloud-config" or "#!"',
  accelerator: (value) => (value === 'kvm' || value === 'tcg' ? undefined : 'must be "kvm" or "tcg"'),
}

/** Schema of the `qemu` section of a blueprint. */
export const optionsSchema: StandardSchema<QemuOptions> = {
  '~standard': {
    version: 1,
    vendor: 'holm',
    validate: (value) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        return { issues: [{ message: 'must be a map' }] }
      const issues = Object.entries(value).flatMap(([key, each]): StandardIssue[] => {
        const check = Object.hasOwn(checks, key) ? checks[key as keyof QemuOptions] : undefined
        const message =
          check === undefined ? `is unknown (known: ${Object.keys(checks).join(', ')})` : check(each)
        return message === undefined ? [] : [{ message, path: [key] }]
      })
      return issues.length > 0 ? { issues } : { value }
    },
  },
}
