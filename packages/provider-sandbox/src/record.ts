import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { HolmError, isHolmError } from '@holm/core'
import type { AppliedLimit, EnvironmentSpec } from '@holm/core'
import { isMissing, removeTree } from './folders.ts'
import type { ProcessIdentity } from './processes.ts'

/** Which program builds the namespaces. */
export type Backend = 'bwrap' | 'unshare'

/** Who runs holm, and so who owns the files of the environment. */
export interface Caller {
  readonly uid: number
  readonly gid: number
  readonly name: string
  readonly home: string
}

/** Processes of a running environment, as this machine numbers them. */
export interface Holder {
  /** PID 1 of the environment: its death ends everything inside. */
  readonly init: ProcessIdentity
  /** Lives in the namespace that owns the mounts (rootless: the outer user namespace). */
  readonly monitor: ProcessIdentity
  /** Lives in the user namespace that programs are put into. */
  readonly anchor: ProcessIdentity
  readonly startedAt: string
  readonly limits: readonly AppliedLimit[]
  /** Folders of control groups made for it; programs join them before they enter. */
  readonly cgroups: readonly string[]
}

/** How the writable root of a rootfs or folder base is made: an overlay, or a copy where overlays do not work. */
export type Layer = 'none' | 'overlay' | 'copy'

export type SpecEssentials = Pick<
  EnvironmentSpec,
  'base' | 'hostname' | 'user' | 'env' | 'mounts' | 'ports' | 'network' | 'resources' | 'security'
>

/** What is stored of an environment. Written before anything is started, replaced atomically. */
export interface SandboxRecord extends SpecEssentials {
  readonly version: 1
  readonly name: string
  /** 'creating' until the base is in place; with a dead creator it is a failed creation. */
  readonly status: 'creating' | 'ready'
  readonly creator: ProcessIdentity
  readonly createdAt: string
  readonly labels: Readonly<Record<string, string>>
  readonly backend: Backend | 'seatbelt'
  readonly caller: Caller
  readonly layer: Layer
  /** Read-only root filesystem below the layer. */
  readonly lower?: string
  /** Layers between the base and its own, shared with others, top first. See layers.ts. */
  readonly shared?: readonly string[]
  readonly holder?: Holder
  /** macOS only: it was started in this boot of the machine. There is no holder. */
  readonly seatbelt?: { readonly boot: string; readonly startedAt: string }
  /** The freezer folder, or null for processes stopped by signal. Absent: not paused. */
  readonly paused?: { readonly freezer: string | null }
}

/** Where things of one namespace are. Everything below is made by this package alone. */
export interface Layout {
  readonly root: string
  readonly environments: string
  readonly volumes: string
  readonly trash: string
  /** Files that several environments share. */
  readonly layers: string
  /** One file for each removed environment whose named volumes were kept. */
  readonly kept: string
  /** One empty file for each environment that was started and not removed since. */
  readonly started: string
}

export function resolveLayout(data: string, namespace: string): Layout {
  const root = path.join(data, namespace)
  return {
    root,
    environments: path.join(root, 'environments'),
    volumes: path.join(root, 'volumes'),
    trash: path.join(root, 'trash'),
    layers: path.join(root, 'layers'),
    kept: path.join(root, 'kept'),
    started: path.join(root, 'started'),
  }
}

const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/

export function isName(name: string): boolean {
  return namePattern.test(name)
}

/** Folder of an environment. HOLM_NAME_INVALID for a name that could lead elsewhere. */
export function folderOf(layout: Layout, name: string): string {
  if (isName(name)) return path.join(layout.environments, name)
  throw new HolmError('HOLM_NAME_INVALID', `"${name}" is no name of an environment`, {
    hint: 'Use 1 to 40 lower-case letters, digits and hyphens.',
  })
}

/** Undefined when there is none. A damaged record is HOLM_ENVIRONMENT_FAILED. */
export async function loadRecord(folder: string): Promise<SandboxRecord | undefined> {
  const text = await readFile(path.join(folder, 'record.json'), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return undefined
    throw error
  })
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (isRecord(value) && value.name === path.basename(folder)) return value
    throw damaged(folder)
  } catch (error) {
    throw isHolmError(error) ? error : damaged(folder, error)
  }
}

/** What everything here relies on; that the rest is whole follows, as a record is replaced in one step. */
function isRecord(value: unknown): value is SandboxRecord {
  const { creator, labels, mounts, ports, base, caller, name } = (value ?? {}) as Partial<SandboxRecord>
  return (
    typeof name === 'string' &&
    Array.isArray(mounts) &&
    Array.isArray(ports) &&
    [creator, labels, base, caller].every((part) => typeof part === 'object' && part !== null)
  )
}

export function damaged(folder: string, cause?: unknown): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_FAILED', `the record in ${folder} is damaged`, {
    hint: `Remove what is left of it with: holm destroy ${path.basename(folder)}`,
    cause,
  })
}

/** Replaces the record: a reader sees the old or the new one, never a part. */
export async function saveRecord(folder: string, record: SandboxRecord): Promise<void> {
  const temporary = path.join(folder, `.record-${randomBytes(4).toString('hex')}`)
  await writeFile(temporary, JSON.stringify(record, null, 2), { mode: 0o600 })
  await rename(temporary, path.join(folder, 'record.json'))
}

/**
 * Makes the environment's folder with its record in it, in one step. False when the name is taken: of two creations at
 * once the rename decides.
 */
export async function claimFolder(layout: Layout, record: SandboxRecord): Promise<boolean> {
  await mkdir(layout.environments, { recursive: true, mode: 0o700 })
  await mkdir(layout.trash, { recursive: true, mode: 0o700 })
  const draft = path.join(layout.trash, `draft-${record.name}-${randomBytes(4).toString('hex')}`)
  await mkdir(draft, { mode: 0o700 })
  await saveRecord(draft, record)
  try {
    await rename(draft, folderOf(layout, record.name))
    return true
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    if (isTaken(error)) return false
    throw error
  }
}

function isTaken(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOTEMPTY' || code === 'EEXIST'
}

/** Takes the folder out of sight in one step, then removes it. What a killed process left in the trash goes with the next call. */
export async function discardFolder(layout: Layout, folder: string): Promise<void> {
  await mkdir(layout.trash, { recursive: true, mode: 0o700 })
  const away = path.join(layout.trash, `gone-${path.basename(folder)}-${randomBytes(4).toString('hex')}`)
  try {
    await rename(folder, away)
  } catch (error) {
    if (isMissing(error)) return
    throw error
  }
  await removeTree(away)
}
