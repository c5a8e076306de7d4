import { statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { HolmError } from '../../errors.ts'
import { builtinPath, listBuiltinNames } from './builtins.ts'
import { nearNames } from '../did-you-mean.ts'
import { homeOf, resolveHostPath } from './parse-mounts.ts'
import type { BlueprintContext, BlueprintSource } from './blueprint-context.ts'

/** Names of a native blueprint in a folder, first match wins. */
export const nativeNames = ['holm.yaml', 'holm.yml', 'holm.json', 'holm.toml'] as const

/** The project file of lima-sandbox, read where there is no blueprint. */
export const limaSandboxName = '.lima-sandbox.toml'

export interface FoundBlueprint {
  readonly source: BlueprintSource
  /** Folder that is the project: the one that has the blueprint, or the current one. */
  readonly project: string
}

type FindContext = Pick<BlueprintContext, 'cwd' | 'env' | 'paths'>

/**
 * Without a reference: the blueprint of the current folder or its nearest parent up to the root of the git repository.
 * With one: an existing file or folder, else a blueprint of the user's folder (`<config>/blueprints`), else a built-in.
 * Throws HOLM_BLUEPRINT_NOT_FOUND or HOLM_BLUEPRINT_AMBIGUOUS.
 */
export async function findBlueprint(
  reference: string | undefined,
  context: FindContext,
): Promise<FoundBlueprint> {
  if (reference === undefined) return findUpwards(context)
  const path = resolveHostPath(reference, { directory: context.cwd, home: homeOf(context.env) })
  const kind = await kindOf(path)
  if (kind === 'file') return foundFile(path, context.cwd)
  if (kind === 'folder') {
    // A folder named like a built-in (redis/, mysql/) and without a blueprint does not hide the built-in.
    const found = await findInFolder(path)
    if (found !== undefined) return found
    if (!isBareName(reference)) throw nothingIn([path])
  }
  const named = isBareName(reference) ? await findNamed(reference, context) : undefined
  if (named === undefined) throw await unknownReference(reference, context)
  return { source: named, project: context.cwd }
}

/** A blueprint by name: the user's own folder first, then the built-ins. */
export async function findNamed(
  name: string,
  context: Pick<FindContext, 'paths'>,
): Promise<BlueprintSource | undefined> {
  for (const extension of ['', '.yaml', '.yml', '.json', '.toml']) {
    const path = join(userFolder(context), `${name}${extension}`)
    if ((await kindOf(path)) === 'file') return { kind: 'file', path }
  }
  const path = builtinPath(name)
  return (await kindOf(path)) === 'file' ? { kind: 'builtin', name, path } : undefined
}

/** Names that `findNamed` knows, for messages. */
export async function listNames(context: Pick<FindContext, 'paths'>): Promise<string[]> {
  const own = await readdir(userFolder(context)).catch(() => [])
  const names = own
    .filter((file) => /\.(?:ya?ml|json|toml)$/.test(file))
    .map((file) => file.replace(/\.[a-z]+$/, ''))
  return [...new Set([...names, ...(await listBuiltinNames())])].toSorted()
}

/** Where the user keeps blueprints of their own. */
export function userFolder(context: Pick<FindContext, 'paths'>): string {
  return join(context.paths.config, 'blueprints')
}

/** A name has no separators and is no `.` or `..`: it can never leave the folders it is looked up in. */
export function isBareName(reference: string): boolean {
  return /^[\w][\w.+-]*$/.test(reference) && !/\.(?:ya?ml|jsonc?|toml)$/i.test(reference)
}

async function findUpwards(context: FindContext): Promise<FoundBlueprint> {
  const searched: string[] = []
  for (let folder = context.cwd; ; folder = dirname(folder)) {
    searched.push(folder)
    const found = await findInFolder(folder)
    if (found !== undefined) return found
    const last = (await kindOf(join(folder, '.git'))) !== undefined || dirname(folder) === folder
    if (last || folder === homeOf(context.env)) throw nothingIn(searched)
  }
}

async function findInFolder(folder: string): Promise<FoundBlueprint | undefined> {
  for (const name of [
    ...nativeNames,
    '.devcontainer/devcontainer.json',
    '.devcontainer.json',
    limaSandboxName,
  ]) {
    const path = join(folder, name)
    if ((await kindOf(path)) === 'file') return { source: { kind: 'file', path }, project: folder }
  }
  const choices = await nestedDevcontainers(folder)
  const [only] = choices
  if (choices.length > 1) throw ambiguous(folder, choices)
  return only === undefined ? undefined : { source: { kind: 'file', path: only }, project: folder }
}

async function nestedDevcontainers(folder: string): Promise<string[]> {
  const entries = await readdir(join(folder, '.devcontainer'), { withFileTypes: true }).catch(() => [])
  const paths = entries
    .map((entry) => join(folder, '.devcontainer', entry.name, 'devcontainer.json'))
    .toSorted()
  const kinds = await Promise.all(paths.map(kindOf))
  return paths.filter((_, index) => kinds[index] === 'file')
}

function foundFile(path: string, cwd: string): FoundBlueprint {
  const source = { kind: 'file', path } as const
  if (
    (nativeNames as readonly string[]).includes(basename(path)) ||
    ['.devcontainer.json', limaSandboxName].includes(basename(path))
  ) {
    return { source, project: dirname(path) }
  }
  const root = /^(.*?)[/\\]\.devcontainer[/\\](?:[^/\\]+[/\\])?devcontainer\.json$/.exec(path)?.[1]
  if (root !== undefined) return { source, project: root === '' ? '/' : root }
  return { source, project: basename(path) === 'devcontainer.json' ? dirname(path) : cwd }
}

export async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    return statSync(path).isDirectory() ? 'folder' : 'file'
  } catch {
    return undefined
  }
}

function ambiguous(folder: string, choices: readonly string[]): HolmError {
  const names = choices.map((path) => relative(folder, path))
  return new HolmError(
    'HOLM_BLUEPRINT_AMBIGUOUS',
    `${folder} has ${choices.length} dev containers: ${names.join(', ')}`,
    {
      hint: `Name one: holm up ${names[0]}`,
      details: { choices },
    },
  )
}

function nothingIn(searched: readonly string[]): HolmError {
  const parents = searched.length > 1 ? ` or its parents up to ${searched.at(-1)}` : ''
  return new HolmError('HOLM_BLUEPRINT_NOT_FOUND', `no blueprint in ${searched[0]}${parents}`, {
    hint: 'Run `holm init` to write one, or name a built-in: `holm blueprint list`.',
    details: { searched },
  })
}

async function unknownReference(reference: string, context: FindContext): Promise<HolmError> {
  const near = isAbsolute(reference) ? [] : nearNames(reference, await listNames(context))
  const meant = near.length === 0 ? '' : `; near names: ${near.join(', ')}`
  const missing = isBareName(reference) ? '' : ` (no such file: ${resolve(context.cwd, reference)})`
  return new HolmError(
    'HOLM_BLUEPRINT_NOT_FOUND',
    `no blueprint ${JSON.stringify(reference)}${missing}${meant}`,
    {
      hint: 'Choose one of `holm blueprint list`, or run `holm init` to write one.',
      details: { reference, near },
    },
  )
}
