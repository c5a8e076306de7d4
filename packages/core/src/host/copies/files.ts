import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, chown, lstat, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { HolmError, assertNotAborted } from '../../errors.ts'
import type { BindMount, EnvironmentSpec } from '../../spec.ts'
import type { HostContext } from '../context.ts'
import { isBelow, isReallyBelow, realAsFar } from '../inside-folder.ts'
import type { Operation } from '../operation.ts'
import type { SavedMount, Swap } from '../state/index.ts'

const stagePrefix = '.holm-restore-'

export interface FileWork {
  readonly host: HostContext
  readonly operation: Operation
}

/** Writable bind mounts, without those that lie in another one. */
export function writableMounts({ mounts }: EnvironmentSpec): readonly BindMount[] {
  const binds = mounts.filter((mount) => mount.type === 'bind' && !mount.readonly) as BindMount[]
  return binds.filter(
    (mount, index) =>
      !binds.some((other, at) =>
        other.source === mount.source ? at < index : isReallyBelow(other.source, mount.source),
      ),
  )
}

/** One tar for each mount, with owners, modes, links and everything in it. */
export async function saveMounts(
  work: FileWork,
  mounts: readonly BindMount[],
  folder: string,
): Promise<SavedMount[]> {
  const saved: SavedMount[] = []
  for (const [index, { source, target }] of mounts.entries()) {
    const archive = `mount-${index}.tar`
    const kind = (await stat(source)).isDirectory() ? 'folder' : 'file'
    await packMount(work, { source, kind, archive: join(folder, archive) })
    const { size } = await stat(join(folder, archive))
    saved.push({ source, target, archive, kind, sizeBytes: size })
  }
  return saved
}

export interface Packing {
  readonly source: string
  readonly kind: SavedMount['kind']
  readonly archive: string
}

/** Nothing is left out in silence: what tar cannot save is an error, what it does not save is a warning. */
export async function packMount(
  { host, operation }: FileWork,
  { source, kind, archive }: Packing,
): Promise<void> {
  const folder = kind === 'folder' ? source : dirname(source)
  const own = listOwn(host, source)
  for (const { folder: place } of own) operation.warn(`${place} lies in ${source} and is not saved with it`)
  const gnu = host.platform === 'linux' ? ['--sparse', '--numeric-owner', '--xattrs', '--anchored'] : []
  const argv = [
    'tar',
    '--create',
    '--file',
    archive,
    ...gnu,
    // A name with a bracket in it is a name.
    ...(host.platform === 'linux' ? ['--no-wildcards'] : []),
    ...own.map(({ path }) => `--exclude=./${path}`),
    ...(host.platform === 'linux' ? ['--wildcards'] : []),
    `--exclude=./${stagePrefix}*`,
    '-C',
    folder,
    kind === 'folder' ? '.' : `./${basename(source)}`,
  ]
  const { code, stderr } = await host.runner.run(argv, { signal: operation.signal })
  assertNotAborted(operation.signal)
  const said = stderr.trim().split('\n').filter(Boolean)
  if (code > 1) throw tarFailed(`${source} cannot be saved`, said)
  for (const line of said) operation.warn(`saving ${source}: ${line.replace(/^tar: /, '')}`)
}

/** Folders of holm itself that lie in this one: what environments are made of, and what they are recorded in. */
function listOwn(
  { paths }: HostContext,
  source: string,
): { readonly folder: string; readonly path: string }[] {
  return [paths.data, paths.cache]
    .filter((folder) => existsSync(folder) && isReallyBelow(source, folder))
    .map((folder) => ({ folder, path: relative(realAsFar(source), realAsFar(folder)) }))
}

export async function unpackMount(
  { host, operation }: FileWork,
  archive: string,
  folder: string,
): Promise<void> {
  const gnu =
    host.platform === 'linux'
      ? ['--numeric-owner', '--xattrs', '--xattrs-include=*', '--delay-directory-restore']
      : []
  const argv = ['tar', '--extract', '--preserve-permissions', '--file', archive, ...gnu, '-C', folder]
  const { code, stderr } = await host.runner.run(argv, { signal: operation.signal })
  assertNotAborted(operation.signal)
  if (code !== 0) throw tarFailed(`${archive} cannot be unpacked`, stderr.trim().split('\n'))
}

function tarFailed(what: string, said: readonly string[]): HolmError {
  const full = said.find((line) => /No space left|Disk quota|Wrote only/i.test(line))
  if (full !== undefined)
    return new HolmError('HOLM_DISK_FULL', `${what}: ${full}`, { hint: 'Free some space, then try again.' })
  return new HolmError('HOLM_COMMAND_FAILED', `${what}: ${said.slice(-3).join('; ')}`, {
    hint: 'Make those files readable for you, or leave files alone with --no-files.',
  })
}

/** Where the content of a saved mount will be put together: beside what it replaces, so that a rename moves it. */
export function planSwaps(mounts: readonly SavedMount[]): Omit<Swap, 'before'>[] {
  return mounts.map(({ source, kind }) => {
    const folder = kind === 'folder' ? source : dirname(source)
    return { source: folder, kind, stage: join(folder, `${stagePrefix}${randomBytes(4).toString('hex')}`) }
  })
}

/** Unpacks beside the content; what is there is not touched. */
export async function stageSwap(
  work: FileWork,
  swap: Omit<Swap, 'before'>,
  saved: { readonly archive: string; readonly source: string },
): Promise<Swap> {
  await mkdir(join(swap.stage, 'new'), { recursive: true })
  await mkdir(join(swap.stage, 'old'), { recursive: true })
  await unpackMount(work, saved.archive, join(swap.stage, 'new'))
  if (swap.kind === 'file') return { ...swap, before: [basename(saved.source)] }
  // holm's own folders stay where they are, and so does what holds them.
  const kept = [basename(swap.stage), ...listOwn(work.host, swap.source).map(({ path }) => path)]
  return { ...swap, before: await listBeside(swap.source, kept) }
}

/** The largest parts of a folder that hold none of the kept paths. */
async function listBeside(source: string, kept: readonly string[], below = ''): Promise<string[]> {
  const beside: string[] = []
  for (const name of await readdir(join(source, below))) {
    const path = join(below, name)
    if (kept.includes(path)) continue
    if (kept.some((each) => isBelow(path, each))) beside.push(...(await listBeside(source, kept, path)))
    else beside.push(path)
  }
  return beside
}

/** Exchanges the content by renames. Begun again after an interruption it goes on where it was. */
export async function runSwap({ source, kind, stage, before }: Swap): Promise<void> {
  const fresh = join(stage, 'new')
  if (!(await exists(fresh))) return
  for (const path of before) {
    const old = join(stage, 'old', path)
    if ((await exists(old)) || !(await exists(join(source, path)))) continue
    await mkdir(dirname(old), { recursive: true })
    await rename(join(source, path), old)
  }
  if (kind === 'folder') return moveInto(fresh, source)
  for (const name of await readdir(fresh)) await rename(join(fresh, name), join(source, name))
}

/** What is in a folder becomes what is in the other. A folder that is there already stayed for what holm keeps in it. */
async function moveInto(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory() && (await isFolder(target))) await moveInto(source, target)
    else await rename(source, target)
  }
  const { mode, uid, gid, atime, mtime } = await stat(from)
  await chmod(to, mode & 0o7777)
  await chown(to, uid, gid).catch(() => undefined)
  await utimes(to, atime, mtime)
}

async function isFolder(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

export async function removeStage({
  source,
  kind,
  stage,
}: Pick<Swap, 'source' | 'kind' | 'stage'>): Promise<void> {
  const times = kind === 'folder' ? await stat(source).catch(() => undefined) : undefined
  await rm(stage, { recursive: true, force: true })
  if (times) await utimes(source, times.atime, times.mtime)
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}
