import type { StandardIssue, StandardSchema } from '@holm/core'

export const vmTypes = ['vz', 'qemu'] as const
export type VmType = (typeof vmTypes)[number]

const mountTypes = ['virtiofs', '9p', 'reverse-sshfs'] as const

/** The `lima` section of a blueprint. */
export interface LimaOptions {
  /** Disk image to start from instead of the blueprint's base: a URL or an absolute path, with its digest. */
  readonly image?: { readonly location: string; readonly digest?: string }
  /** Absent: vz on macOS, qemu elsewhere. */
  readonly vmType?: VmType
  /** How folders of this machine get inside. Absent: what Lima prefers for the vmType. */
  readonly mountType?: (typeof mountTypes)[number]
}

const keys = ['image', 'vmType', 'mountType'] as const

/** Pure. Unknown keys are refused by name. */
export const optionsSchema: StandardSchema<LimaOptions> = {
  '~standard': {
    version: 1,
    vendor: 'holm',
    validate(value) {
      if (value === undefined || value === null) return { value: {} }
      if (typeof value !== 'object' || Array.isArray(value))
        return { issues: [{ message: 'must be an object' }] }
      const section = value as Readonly<Record<string, unknown>>
      const issues = [
        ...unknownKeys(section, keys, []),
        ...imageIssues(section['image']),
        ...oneOf(section['vmType'], vmTypes, 'vmType'),
        ...oneOf(section['mountType'], mountTypes, 'mountType'),
      ]
      return issues.length > 0 ? { issues } : { value: section }
    },
  },
}

function imageIssues(image: unknown): StandardIssue[] {
  if (image === undefined) return []
  if (typeof image !== 'object' || image === null || Array.isArray(image))
    return [{ message: 'must be { location, digest }', path: ['image'] }]
  const { location, digest } = image as Readonly<Record<string, unknown>>
  const issues = unknownKeys(image as Readonly<Record<string, unknown>>, ['location', 'digest'], ['image'])
  if (typeof location !== 'string' || !/^(https?:\/\/|\/)./.test(location))
    issues.push({ message: 'must be an http(s) URL or an absolute path', path: ['image', 'location'] })
  if (digest !== undefined && (typeof digest !== 'string' || !isDigest(digest)))
    issues.push({
      message: 'must be "sha256:" with 64 hex digits, or "sha512:" with 128',
      path: ['image', 'digest'],
    })
  return issues
}

function isDigest(text: string): boolean {
  return /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(text)
}

function unknownKeys(
  section: Readonly<Record<string, unknown>>,
  known: readonly string[],
  path: readonly string[],
): StandardIssue[] {
  return Object.keys(section)
    .filter((key) => !known.includes(key))
    .map((key) => ({ message: `unknown key; known are ${known.join(', ')}`, path: [...path, key] }))
}

function oneOf(value: unknown, allowed: readonly string[], key: string): StandardIssue[] {
  if (value === undefined || (typeof value === 'string' && allowed.includes(value))) return []
  return [{ message: `must be one of ${allowed.join(', ')}`, path: [key] }]
}
