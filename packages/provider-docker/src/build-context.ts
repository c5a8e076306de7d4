import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readFile, readdir, readlink } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { finished } from 'node:stream/promises'
import { HolmError } from '@holm/core'

/** Files of a build's context, after .dockerignore, relative with forward slashes and sorted. */
export interface BuildContext {
  readonly folder: string
  readonly entries: readonly string[]
}

/** Reads `.dockerignore` (or `<Dockerfile>.dockerignore`) as the docker CLI does; the Dockerfile itself is always sent. */
export async function loadContext(folder: string, dockerfile: string): Promise<BuildContext> {
  const dockerignore = await loadDockerignore()
  const rules =
    (await readOptional(`${dockerfile}.dockerignore`)) ?? (await readOptional(join(folder, '.dockerignore')))
  const ignore = dockerignore({ ignorecase: false }).add(rules ?? '')
  const always = new Set([dockerfileInContext(folder, dockerfile), '.dockerignore'])
  const entries: string[] = []
  const walk = async (path: string): Promise<void> => {
    const names = await readdir(join(folder, path), { withFileTypes: true })
    for (const entry of names.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const child = path === '' ? entry.name : `${path}/${entry.name}`
      const kept = always.has(child) || !ignore.ignores(child)
      if (kept) entries.push(child)
      // A rule like "!folder/file" may bring back a file of a folder that is ignored.
      if (entry.isDirectory()) await walk(child)
    }
  }
  try {
    await walk('')
  } catch (cause) {
    throw new HolmError('HOLM_BLUEPRINT_INVALID', `the build context ${folder} cannot be read`, {
      hint: 'Correct the build context of the blueprint.',
      cause,
    })
  }
  return { folder, entries }
}

/** Path of the Dockerfile for the engine. One outside of the context is refused: the classic builder cannot take it. */
export function dockerfileInContext(folder: string, dockerfile: string): string {
  const path = relative(folder, dockerfile).split(sep).join('/')
  if (!path.startsWith('../') && path !== '..') return path
  throw new HolmError(
    'HOLM_BLUEPRINT_UNSUPPORTED',
    `the Dockerfile ${dockerfile} lies outside of the build context ${folder}`,
    {
      hint: 'Move it into the context, or name a context that contains it.',
    },
  )
}

/** Adds names, modes and contents of everything that the build can see. */
export async function hashContext(context: BuildContext, seed: string): Promise<string> {
  const hash = createHash('sha256').update(seed)
  for (const entry of context.entries) {
    const path = join(context.folder, entry)
    const info = await lstat(path)
    hash.update(`\n${entry}\0${info.mode}\0`)
    if (info.isSymbolicLink()) hash.update(await readlink(path))
    if (!info.isFile()) continue
    const stream = createReadStream(path)
    stream.on('data', (chunk) => hash.update(chunk))
    await finished(stream)
  }
  return hash.digest('hex')
}

interface Ignore {
  add(rules: string): Ignore
  ignores(path: string): boolean
}

/** Its types say ES module, its code is a CommonJS function. */
async function loadDockerignore(): Promise<(options: { readonly ignorecase: boolean }) => Ignore> {
  const module: unknown = await import('@balena/dockerignore')
  return (module as { default: (options: { readonly ignorecase: boolean }) => Ignore }).default
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return undefined
  }
}
