import { HolmError } from '@holm/core'

export interface SyncPatterns {
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
}

/** What is made anew from other files, or belongs to one machine. */
export const defaultExcludes: readonly string[] = [
  'node_modules/',
  'target/',
  '.venv/',
  '__pycache__/',
  'dist/',
  '*.log',
  '.DS_Store',
]

/** Folder in the root of either side for what is on its way; never synchronised. */
export const workFolder = '.holm-sync'

/** Whatever the configuration says: git runs programs that its folder names, and a copy of half of it is no repository. */
const never = ['- .[gG][iI][tT]', `- /${workFolder}/`]

/**
 * Rules of rsync, the first that matches decides. With paths (relative, plain) only these and what is below them; a path that
 * is named is taken although a pattern excludes it, what lies below it still is not.
 */
export function filterRules(
  { include = [], exclude = defaultExcludes }: SyncPatterns,
  paths: readonly string[] = [],
): string[] {
  return [
    ...never,
    ...limitTo(paths),
    ...include.map((pattern) => `+ ${pattern}`),
    ...exclude.map((pattern) => `- ${pattern}`),
  ]
}

function limitTo(paths: readonly string[]): string[] {
  if (paths.length === 0 || paths.includes('')) return []
  const outermost = paths.filter((path) => !paths.some((other) => path.startsWith(`${other}/`)))
  const parents = new Set(outermost.flatMap((path) => parentsOf(path)))
  return [
    ...[...parents].filter((parent) => parent !== '').map((parent) => `+ /${literal(parent)}/`),
    ...outermost.map((path) => `+ /${literal(path)}`),
    ...[...parents].map((parent) => `- /${parent === '' ? '' : `${literal(parent)}/`}*`),
  ]
}

/** 'a/b/c' has '', 'a' and 'a/b'. */
export function parentsOf(path: string): string[] {
  const segments = path.split('/').slice(0, -1)
  return ['', ...segments.map((_segment, index) => segments.slice(0, index + 1).join('/'))]
}

/** A backslash escapes only where there is a wildcard in the pattern. */
function literal(path: string): string {
  if (/[\n\r\0]/.test(path)) {
    throw new HolmError('HOLM_USAGE', `${JSON.stringify(path)} has a line end in its name`, {
      hint: 'Name the folder that it is in.',
    })
  }
  return /[*?[]/.test(path) ? path.replaceAll(/[\\*?[]/g, (character) => `\\${character}`) : path
}
