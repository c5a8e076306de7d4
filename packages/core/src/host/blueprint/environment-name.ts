import { HolmError } from '../../errors.ts'

const longest = 40

/** Any text to a usable name: lower-case letters, digits and hyphens, 1 to 40 characters. */
export function slugify(text: string): string {
  const plain = text
    .normalize('NFKD')
    .replaceAll(/\p{Mark}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
  return plain.slice(0, longest).replace(/-+$/, '') || 'environment'
}

/** Throws HOLM_NAME_INVALID, with a usable name as a suggestion, unless `name` is one. */
export function assertEnvironmentName(name: string): void {
  if (/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(name) && name.length <= longest) return
  const suggestion = slugify(name)
  throw new HolmError(
    'HOLM_NAME_INVALID',
    `${JSON.stringify(name)} is no name of an environment: lower-case letters, digits and hyphens, 1 to ${longest} characters`,
    { hint: `Use a name such as "${suggestion}".`, details: { name, suggestion } },
  )
}
