import { HolmError } from '@holm/core'

const form = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/

/** The name is also that of an environment, a branch and a folder. HOLM_NAME_INVALID. */
export function assertWorkspaceName(name: string): void {
  if (form.test(name)) return
  throw new HolmError('HOLM_NAME_INVALID', `${JSON.stringify(name)} cannot be the name of a workspace`, {
    hint: 'Use 1 to 40 lower-case letters, digits and hyphens, beginning and ending with a letter or digit.',
    details: { name },
  })
}

export function branchOf(name: string): string {
  return `holm/${name}`
}
