import { randomBytes } from 'node:crypto'
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { EnvironmentSpec } from '@holm/core'
import type { ProcessIdentity } from './identity.ts'
import type { ConfSections } from './wsl-conf.ts'

type SpecEssentials = Pick<EnvironmentSpec, 'hostname' | 'user' | 'env' | 'mounts' | 'ports' | 'resources'>

/** A rule of Windows that leads a port of this machine to another number inside. It outlives everything but its removal. */
export interface PortProxy {
  readonly listenAddress: string
  readonly listenPort: number
  readonly connectPort: number
}

/** What is stored of an environment, beside its disk: whoever finds the disk finds the labels. */
export interface WslRecord extends SpecEssentials {
  readonly version: 1
  readonly name: string
  readonly id: string
  /** 'creating' and 'restoring' with a dead worker: it was interrupted. */
  readonly status: 'creating' | 'ready' | 'restoring'
  readonly worker: ProcessIdentity
  readonly createdAt: string
  readonly labels: Readonly<Record<string, string>>
  readonly conf: ConfSections
  /** The main process, as long as it was not stopped by holm. */
  readonly holder?: Holder
  readonly proxies?: readonly PortProxy[]
}

export interface Holder {
  /** The wsl.exe that waits for the main process. */
  readonly process: ProcessIdentity
  /** What the main process wrote to /run/holm/boot. */
  readonly token: string
  readonly startedAt: string
}

/** Where things of one namespace are. Everything below is made by this package, the disks by WSL. */
export interface Layout {
  readonly environments: string
  readonly volumes: string
  readonly trash: string
}

export function resolveLayout(root: string): Layout {
  return {
    environments: path.join(root, 'environments'),
    volumes: path.join(root, 'volumes'),
    trash: path.join(root, 'trash'),
  }
}

const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/

/** HOLM_NAME_INVALID for a name that could lead elsewhere. */
export function folderOf(layout: Layout, name: string): string {
  if (namePattern.test(name)) return path.join(layout.environments, name)
  throw new HolmError('HOLM_NAME_INVALID', `"${name}" is no name of an environment`, {
    hint: 'Use 1 to 40 lower-case letters, digits and hyphens.',
  })
}

/** The folder that WSL is given for the disk: it removes its folder's files when a distribution is unregistered. */
export function diskFolder(folder: string): string {
  return path.join(folder, 'disk')
}

export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** Undefined when there is none. */
export async function loadRecord(folder: string): Promise<WslRecord | undefined> {
  const text = await readFile(path.join(folder, 'record.json'), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return undefined
    throw error
  })
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as WslRecord
  } catch (error) {
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `the record in ${folder} is damaged`, {
      hint: 'Remove the environment and create it again.',
      cause: error,
    })
  }
}

export async function listFolders(layout: Layout): Promise<string[]> {
  const names = await readdir(layout.environments).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })
  return names.filter((name) => namePattern.test(name)).toSorted()
}

/** Replaces the record: a reader sees the old or the new one, never a part. */
export async function saveRecord(folder: string, record: WslRecord): Promise<void> {
  const temporary = path.join(folder, `.record-${randomBytes(4).toString('hex')}`)
  await writeFile(temporary, JSON.stringify(record, null, 2), { mode: 0o600 })
  await rename(temporary, path.join(folder, 'record.json'))
}

/**
 * Makes the folder in one step, with its record and this process' lock in it; of two creations at once the rename
 * decides. False: it is taken.
 */
export async function claimFolder(layout: Layout, record: WslRecord): Promise<boolean> {
  await mkdir(layout.environments, { recursive: true })
  await mkdir(layout.trash, { recursive: true })
  const draft = path.join(layout.trash, `draft-${record.name}-${randomBytes(4).toString('hex')}`)
  await mkdir(draft)
  await saveRecord(draft, record)
  await writeFile(path.join(draft, 'lock'), JSON.stringify(record.worker), { mode: 0o600 })
  try {
    await rename(draft, folderOf(layout, record.name))
    return true
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    // Windows says EPERM or EACCES for a folder that is there.
    const code = (error as NodeJS.ErrnoException).code ?? ''
    if (['ENOTEMPTY', 'EEXIST', 'EPERM', 'EACCES'].includes(code)) return false
    throw error
  }
}

/** Takes the folder out of sight in one step, then removes it. */
export async function discardFolder(layout: Layout, folder: string): Promise<void> {
  await mkdir(layout.trash, { recursive: true })
  const away = path.join(layout.trash, `gone-${path.basename(folder)}-${randomBytes(4).toString('hex')}`)
  try {
    await rename(folder, away)
  } catch (error) {
    if (isMissing(error)) return
    throw error
  }
  await rm(away, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
}
