import { chmod, cp, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { accessSync, constants, existsSync, lstatSync, realpathSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import type { Mount } from '@holm/core'

/**
 * Programs of this machine that an environment sees on its PATH. Nothing that installs or changes the machine: a blueprint's
 * `apt-get install` inside the fake must not reach the real one.
 */
const programs =
  'sh cat printf echo true false sleep kill env pwd id head tail test [ stty mkdir rmdir rm ls touch cp mv ln chmod wc tr sed grep ' +
  'sort uniq cut date uname hostname seq od tee basename dirname readlink sha256sum tar gzip ps expr nohup setsid xargs find mktemp tty ' +
  'stat df du awk node git'

const programFolders = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin', '/opt/homebrew/bin']

/** The folders every root filesystem has. */
const skeleton = ['root', 'tmp', 'var/tmp', 'workspace', 'mnt', 'usr/local/bin']

/** Folders of the fake runtime on this machine. */
export interface MemoryFolders {
  readonly root: string
  readonly bin: string
  filesOf(id: string): string
  logOf(id: string): string
  snapshotOf(id: string, snapshot: string): string
  volumeOf(name: string): string
  imageOf(id: string): string
  folderOf(id: string): string
}

export function createFolders(root: string): MemoryFolders {
  const folderOf = (id: string): string => join(root, 'environments', id)
  return {
    root,
    bin: join(root, 'bin'),
    folderOf,
    filesOf: (id) => join(folderOf(id), 'files'),
    logOf: (id) => join(folderOf(id), 'log'),
    snapshotOf: (id, snapshot) => join(folderOf(id), 'snapshots', encodeURIComponent(snapshot)),
    volumeOf: (name) => join(root, 'volumes', encodeURIComponent(name)),
    imageOf: (id) => join(root, 'images', id),
  }
}

/** Where a path of the environment is on this machine. */
export function mapInside(files: string, inside: string): string {
  return join(files, posix.normalize(`/${inside}`))
}

/** Links the allowed programs into one folder, and writes the given scripts, which win. Safe when several processes do it at once. */
export async function linkPrograms(bin: string, scripts: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(bin, { recursive: true })
  const links = programs.split(' ').filter((name) => !(name in scripts))
  await Promise.all(links.map((name) => linkProgram(bin, name)))
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(join(bin, name), text)
    await chmod(join(bin, name), 0o755)
  }
}

async function linkProgram(bin: string, name: string): Promise<void> {
  if (existsSync(join(bin, name))) return
  const found = name === 'node' ? process.execPath : findProgram(name, programFolders)
  if (found === undefined) return
  await symlink(found, join(bin, name)).catch(ignoreExisting)
}

/** First executable file of that name in the folders. */
export function findProgram(name: string, folders: readonly string[]): string | undefined {
  return folders.map((folder) => join(folder, name)).find((path) => isExecutable(path))
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return !lstatSync(path).isDirectory()
  } catch {
    return false
  }
}

/** Makes the files of an environment, from a template when there is one, without what was mounted there. */
export async function makeFiles(
  files: string,
  template: string | undefined,
  mounts: readonly Mount[] = [],
): Promise<void> {
  await mkdir(files, { recursive: true })
  if (template !== undefined) await cp(template, files, { recursive: true, verbatimSymlinks: true })
  // Before anything is made: what a mount leads to may be gone by now.
  for (const mount of mounts) await unlinkMount(files, mount)
  await Promise.all(skeleton.map((folder) => mkdir(join(files, folder), { recursive: true })))
}

/** Copies a tree as it is; a mount stays a link to its source. */
export async function copyFiles(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true })
  await mkdir(dirname(to), { recursive: true })
  await cp(from, to, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true })
}

/** A link stands for a mount. Nothing enforces `readonly`: the fake does not isolate. */
export async function linkMount(files: string, mount: Mount, source: string): Promise<void> {
  const target = mapInside(files, mount.target)
  if (leadsOutside(files, target)) return
  await rm(target, { recursive: true, force: true })
  await mkdir(dirname(target), { recursive: true })
  await symlink(source, target).catch(ignoreExisting)
}

/** What is left of a mount in a copy of the files: an empty folder. */
async function unlinkMount(files: string, mount: Mount): Promise<void> {
  const target = mapInside(files, mount.target)
  if (leadsOutside(files, target)) return
  await rm(target, { recursive: true, force: true })
  await mkdir(target, { recursive: true })
}

/** Below another mount, whose link leads to the files of this machine: nothing of theirs is replaced. */
function leadsOutside(files: string, target: string): boolean {
  let parent = dirname(target)
  while (!existsSync(parent)) parent = dirname(parent)
  return relative(realpathSync(files), realpathSync(parent)).startsWith('..')
}

function ignoreExisting(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
}
