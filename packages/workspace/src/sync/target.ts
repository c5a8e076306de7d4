import { existsSync, realpathSync } from 'node:fs'
import { isAbsolute, join, posix, relative, resolve, sep } from 'node:path'
import { HolmError } from '@holm/core'
import type { EnvironmentInfo, HostApi } from '@holm/core'
import type { Workspaces } from '../api.ts'
import type { WorkspaceRecord } from '../record.ts'
import { workersOf } from '../workers/names.ts'
import { splitWords, workerOf, type Known } from './words.ts'

/** A folder of this machine and the one inside that it is kept equal to. */
export interface Target {
  readonly name: string
  readonly environment: EnvironmentInfo
  /** As its real path. */
  readonly local: string
  /** Where paths may also be seen from: the repository's main worktree. */
  readonly repository: string | undefined
  readonly inside: string
  /** It is the same folder: mounted there. */
  readonly mountedAt: string | undefined
}

interface Call {
  readonly host: HostApi
  readonly workspaces: Workspaces
  readonly cwd: string
  /** The workspace that was chosen for this shell. */
  readonly used?: string | undefined
  readonly signal: AbortSignal
}

/** Targets by name, and the words that are paths. */
export async function chooseTargets(
  call: Call,
  words: readonly string[],
): Promise<{ readonly names: readonly string[]; readonly paths: readonly string[] }> {
  const known = await knownTo(call)
  const { workers, paths } = splitWords(words, known)
  return { paths, names: workers.length > 0 ? workers : await impliedNames(call, known) }
}

/** The first word must be a worker; all others are paths, whatever they look like. */
export async function chooseTarget(call: Call, word: string): Promise<string> {
  const known = await knownTo(call)
  const name = workerOf(word, known)
  if (name !== undefined) return name
  throw new HolmError('HOLM_WORKSPACE_NOT_FOUND', `there is no worker ${JSON.stringify(word)}`, {
    hint: known.names.size === 0 ? 'Make some: holm spawn 4' : `There are: ${[...known.names].join(', ')}`,
    details: { worker: word },
  })
}

async function knownTo({
  host,
  workspaces,
  cwd,
  signal,
}: Call): Promise<Known & { readonly root: string | undefined }> {
  const environments = (await host.list({ all: true, signal })).filter(({ partOf }) => partOf === undefined)
  const root = await workspaces.repositoryOf(cwd).catch((error: unknown) => {
    if ((error as { code?: string }).code === 'HOLM_REPOSITORY_NOT_FOUND') return undefined
    throw error
  })
  const records = workspaces.records()
  return {
    root,
    workers: root === undefined ? [] : workersOf(records, root),
    names: new Set([...records, ...environments].map(({ name }) => name)),
  }
}

/** The one that is in use, or whose folder one is in; else all workers of the repository, else all its workspaces; else the project's environment. */
async function impliedNames(
  { host, workspaces, cwd, signal, used }: Call,
  { workers, root }: Known & { readonly root: string | undefined },
): Promise<readonly string[]> {
  const records = workspaces.records()
  if (used !== undefined) return [used]
  const own = records.find(({ path }) => relativeInside(path, cwd) !== undefined)
  if (own) return [own.name]
  if (workers.length > 0) return workers.map(({ name }) => name)
  const others = records.filter(({ repository }) => repository === root)
  if (others.length > 0) return others.map(({ name }) => name)
  return [(await host.status(undefined, { projectFolder: cwd, signal })).name]
}

export async function findTarget({ host, workspaces, signal }: Call, name: string): Promise<Target> {
  const environment = await host.status(name, { signal })
  const record = workspaces.records().find((each) => each.name === name)
  return targetOf(environment, record)
}

export function targetOf(environment: EnvironmentInfo, record: WorkspaceRecord | undefined): Target {
  const folder = record?.path ?? environment.project
  if (!existsSync(folder)) {
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `${folder} is not there any more`, {
      hint: `Bring it back, or remove what belongs to it: holm ${record ? 'workspace delete' : 'destroy'} ${environment.name}`,
    })
  }
  return {
    name: environment.name,
    environment,
    local: realpathSync(folder),
    repository: record?.repository,
    inside: insideOf(environment, record),
    mountedAt: mountOf(environment),
  }
}

function mountOf({ mounts, project }: EnvironmentInfo): string | undefined {
  return mounts.find((mount) => mount.type === 'bind' && mount.source === project)?.target
}

/** A root folder is nobody's place to work. */
function insideOf({ workdir }: EnvironmentInfo, record: WorkspaceRecord | undefined): string {
  const wanted = posix.normalize(record?.synced ?? workdir ?? '/workspace')
  return wanted === '/' ? '/workspace' : wanted
}

/**
 * Paths as they are below a target's folder, plain and relative. They are seen from the current folder, in the repository's main
 * worktree as in the target's own. HOLM_USAGE for one that is outside.
 */
export function resolvePaths(
  { local, repository, name }: Target,
  cwd: string,
  paths: readonly string[],
): string[] {
  return paths.map((path) => {
    const full = resolve(cwd, path)
    const plain =
      relativeInside(local, full) ?? (repository === undefined ? undefined : relativeInside(repository, full))
    // From anywhere else a relative path is meant from the folder's root.
    const found = plain ?? (isAbsolute(path) ? undefined : relativeInside(local, resolve(local, path)))
    if (found !== undefined) return found.split(sep).join('/')
    throw new HolmError('HOLM_USAGE', `${JSON.stringify(path)} is not in the folder of ${name}`, {
      hint: `Name a path below ${local}.`,
      details: { path },
    })
  })
}

/** '' for the folder itself; undefined outside of it. */
function relativeInside(folder: string, path: string): string | undefined {
  const real = realAsFar(path)
  const found = relative(existsSync(folder) ? realpathSync(folder) : folder, real)
  return found === '..' || found.startsWith(`..${sep}`) || isAbsolute(found) ? undefined : found
}

/** The real path of the folder that something is in; the last name may be a link, which is meant itself. */
function realAsFar(path: string): string {
  const parent = join(path, '..')
  if (parent === path) return path
  const name = relative(parent, path)
  return join(existsSync(parent) ? realpathSync(parent) : realAsFar(parent), name)
}
