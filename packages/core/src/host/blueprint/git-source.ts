import { omitUndefined } from './omit-undefined.ts'
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { HolmError } from '../../errors.ts'
import type { BlueprintContext, BlueprintSource } from './blueprint-context.ts'

type GitSource = Extract<BlueprintSource, { kind: 'git' }>
type GitPlace = Omit<GitSource, 'file' | 'kind'>

const fetchTimeoutMs = 120_000

/** True for everything that claims to be a git URL; `parseGitReference` then says whether it is a usable one. */
export function isGitReference(reference: string): boolean {
  return reference.startsWith('git+') || reference.startsWith('git:')
}

/**
 * `git+https://host/repo.git#<40 hex digits>:<path>`; also git+ssh and git+file. A branch or a tag is refused: it may mean
 * something else tomorrow. Throws HOLM_BLUEPRINT_INVALID.
 */
export function parseGitReference(reference: string): GitPlace {
  const match = /^git\+((https|ssh|file):\/\/([^#\s]+))#([^:\s]+):(.+)$/.exec(reference)
  const [, url = '', scheme, rest = '', commit = '', path = ''] = match ?? []
  if (match === null)
    throw invalid(reference, 'is not git+https://, git+ssh:// or git+file:// with #<commit>:<path>')
  if (!/^[0-9a-f]{40}$/.test(commit)) {
    throw invalid(reference, `is pinned to ${JSON.stringify(commit)}, not to a full commit of 40 hex digits`)
  }
  const authority = rest.split('/')[0] ?? ''
  if (scheme !== 'file' && /^$|^-|@-/.test(authority)) throw invalid(reference, 'has no usable host')
  if (/:.*@/.test(authority)) throw invalid('git+…', 'carries a password; use a credential helper of git')
  return { url, commit, path: parsePathInside(path, reference) }
}

/** A path of another file of the same commit, relative to `from`. */
export function siblingInGit(reference: string, from: GitPlace): GitPlace {
  return { ...from, path: parsePathInside(posix.join(posix.dirname(from.path), reference), reference) }
}

function parsePathInside(path: string, reference: string): string {
  const clean = posix.normalize(path)
  if (clean.startsWith('/') || clean.startsWith('..') || clean.startsWith('-') || /[\\\u0000:]/.test(clean)) {
    throw invalid(reference, 'leaves the repository')
  }
  return clean
}

function invalid(reference: string, reason: string): HolmError {
  return new HolmError('HOLM_BLUEPRINT_INVALID', `extends: ${JSON.stringify(reference)} ${reason}`, {
    hint: 'Write git+https://host/repo.git#<40 hex digits>:<path>.',
    details: { reference },
  })
}

/**
 * The file of a git blueprint on this machine. A commit never changes, so what is in the cache is used without asking
 * anybody. Throws HOLM_BLUEPRINT_PARENT_MISSING when git cannot get it.
 */
export async function fetchGitSource(place: GitPlace, context: BlueprintContext): Promise<GitSource> {
  const folder = join(
    context.paths.cache,
    'blueprints',
    createHash('sha256').update(place.url).digest('hex').slice(0, 24),
  )
  const file = join(folder, place.commit, ...place.path.split('/'))
  if (!(await exists(file))) {
    const text = await fetchBlob(place, join(folder, `fetch-${randomUUID()}.git`), context)
    await mkdir(dirname(file), { recursive: true })
    // Renaming keeps a killed or a second holm from seeing half a file.
    const partial = `${file}.${randomUUID()}`
    await writeFile(partial, text)
    await rename(partial, file)
  }
  return { kind: 'git', ...place, file }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

async function fetchBlob(place: GitPlace, repository: string, context: BlueprintContext): Promise<string> {
  const git = gitIn(repository, place, context)
  await mkdir(repository, { recursive: true })
  try {
    await git(['init', '--quiet', '--bare'])
    await git(['fetch', '--quiet', '--no-tags', '--depth=1', '--', place.url, place.commit])
    return await git(['cat-file', 'blob', `${place.commit}:${place.path}`])
  } finally {
    await rm(repository, { recursive: true, force: true })
  }
}

function gitIn(repository: string, place: GitPlace, context: BlueprintContext) {
  const env = gitEnvironment(place, context.env)
  return async (args: readonly string[]): Promise<string> => {
    const options = {
      cwd: repository,
      env,
      timeoutMs: fetchTimeoutMs,
      ...omitUndefined({ signal: context.signal }),
    }
    const { code, stdout, stderr } = await context.runner.run(['git', ...args], options)
    if (code === 0) return stdout
    const reason = stderr.trim().split('\n').slice(-3).join(' ')
    throw new HolmError(
      'HOLM_BLUEPRINT_PARENT_MISSING',
      `cannot get ${place.path} of ${place.url} at ${place.commit}: ${reason || `git ${args[0]} ended with ${code}`}`,
      { hint: 'Check the address, the commit, the path and your access.', details: { ...place } },
    )
  }
}

/** The caller's environment without what points git at another repository, and with no way to ask or to change protocol. */
function gitEnvironment(place: GitPlace, env: BlueprintContext['env']): Record<string, string> {
  const kept = Object.entries(env).flatMap(([key, value]) =>
    value === undefined ||
    /^GIT_(?:DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_|COMMON_DIR|NAMESPACE)/.test(key)
      ? []
      : [[key, value]],
  )
  return {
    ...(Object.fromEntries(kept) as Record<string, string>),
    // Neither git nor ssh may wait for an answer that nobody gives.
    GIT_TERMINAL_PROMPT: '0',
    GIT_SSH_COMMAND: env['GIT_SSH_COMMAND'] ?? 'ssh -o BatchMode=yes',
    GIT_ALLOW_PROTOCOL: place.url.split(':')[0] ?? '',
    GIT_PROTOCOL: 'version=2',
    LC_ALL: 'C',
  }
}
