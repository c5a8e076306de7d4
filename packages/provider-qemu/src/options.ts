import { objectSchema } from '@holm/core'
import type { OptionCheck, StandardSchema } from '@holm/core'
import type { QemuOptions } from './record.ts'

const file: OptionCheck = (value) =>
  typeof value === 'string' && value.startsWith('/') ? undefined : 'must be an absolute path'

/** Schema of the `qemu` section of a blueprint. */
export const optionsSchema: StandardSchema<QemuOptions> = objectSchema<QemuOptions>({
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
})
