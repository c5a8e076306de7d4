import { randomBytes } from 'node:crypto'
import { mkdir, readFile, readdir, rename } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { AppliedLimit, EnvironmentSpec, PortBinding } from '@holm/core'
import type { Accelerator, Architecture, MachineConfig } from './argv.ts'
import { isMissing, removeTree, replaceFile } from './files-on-disk.ts'
import type { ProcessIdentity } from './processes.ts'

/** What is known of a machine once it runs. */
export interface Machine {
  readonly pid: number
  readonly startedAt: string
  readonly accelerator: Accelerator
  /** Port of this machine on 127.0.0.1 that leads to the agent inside. */
  readonly control: number
  readonly ports: readonly PortBinding[]
  readonly limits: readonly AppliedLimit[]
  readonly paused?: true
  /** Booted to look at the files of a stopped environment: it counts as stopped. */
  readonly hidden?: true
}

export interface SnapshotEntry {
  readonly name: string
  readonly createdAt: string
  /** Id of the disk that holds it; nothing writes to that any more. */
  readonly disk: string
  /** A saved memory beside the record, with the command line it fits. */
  readonly memory?: SavedMemory
}

/** A saved memory beside the record. Only a machine of the same make can go on with it. */
export interface SavedMemory {
  readonly file: string
  readonly config: MachineConfig
  readonly limits: readonly AppliedLimit[]
}

export type SpecEssentials = Pick<
  EnvironmentSpec,
  | 'base'
  | 'hostname'
  | 'user'
  | 'env'
  | 'mounts'
  | 'ports'
  | 'network'
  | 'resources'
  | 'main'
  | 'nestedDocker'
>

/** What is stored of an environment. Written before anything is made, replaced atomically. Mode 0600: it holds the token. */
export interface QemuRecord extends SpecEssentials {
  readonly version: 1
  readonly name: string
  readonly id: string
  /** 'creating' until the disk is there; with a dead creator it is a failed creation. */
  readonly status: 'creating' | 'ready'
  readonly creator: ProcessIdentity
  readonly createdAt: string
  readonly labels: Readonly<Record<string, string>>
  readonly options: QemuOptions
  /** What the agent inside wants to hear first. */
  readonly token: string
  /** Id of the disk in use; see disks.ts. */
  readonly disk: string
  /** Nothing was written to the disk since it was made over this one. */
  readonly untouchedOver?: string
  readonly snapshots: readonly SnapshotEntry[]
  readonly machine?: Machine
}

/** The `qemu` section of a blueprint. */
export interface QemuOptions {
  /** Absolute path of a kernel for direct boot; its modules are looked for in /lib/modules of this machine or `modules`. */
  readonly kernel?: string
  /** Folder of the kernel's modules (`…/lib/modules/<release>`). */
  readonly modules?: string
  /** CPU model as QEMU names it. */
  readonly cpu?: string
  /** `tcg` leaves KVM alone. */
  readonly accelerator?: Accelerator
  /** Of the machine's processor; absent: this machine's. Another is emulated, and needs a base for it. */
  readonly arch?: Architecture
  /** For cloud-init of a disk: `#cloud-config …`, a script, or whatever else it takes. */
  readonly userData?: string
}

/** Where things of one namespace are. Everything below is made by this package alone. */
export interface Layout {
  readonly root: string
  readonly environments: string
  readonly disks: string
  readonly volumes: string
  readonly trash: string
}

export function resolveLayout(data: string, namespace: string): Layout {
  const root = path.join(data, namespace)
  const at = (name: string): string => path.join(root, name)
  return {
    root,
    environments: at('environments'),
    disks: at('disks'),
    volumes: at('volumes'),
    trash: at('trash'),
  }
}

const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/

/** Folder of an environment. HOLM_NAME_INVALID for a name that could lead elsewhere. */
export function folderOf(layout: Layout, name: string): string {
  if (namePattern.test(name)) return path.join(layout.environments, name)
  throw new HolmError('HOLM_NAME_INVALID', `"${name}" is no name of an environment`, {
    hint: 'Use 1 to 40 lower-case letters, digits and hyphens.',
  })
}

/** Undefined when there is none. A damaged record is HOLM_ENVIRONMENT_FAILED. */
export async function loadRecord(folder: string): Promise<QemuRecord | undefined> {
  const text = await readFile(path.join(folder, 'record.json'), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return undefined
    throw error
  })
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as QemuRecord
  } catch (error) {
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `the record in ${folder} is damaged`, {
      hint: 'Remove the environment and create it again.',
      cause: error,
    })
  }
}

export function saveRecord(folder: string, record: QemuRecord): Promise<void> {
  return replaceFile(path.join(folder, 'record.json'), JSON.stringify(record, null, 2))
}

/** All readable records of the namespace. */
export async function loadRecords(layout: Layout): Promise<readonly QemuRecord[]> {
  const names = await readdir(layout.environments).catch(() => [])
  const found = await Promise.all(
    names.map((name) => loadRecord(path.join(layout.environments, name)).catch(() => undefined)),
  )
  return found.filter((record) => record !== undefined)
}

/**
 * Makes the environment's folder with its record in it, in one step. False when the name is taken: of two creations at
 * once the rename decides.
 */
export async function claimFolder(layout: Layout, record: QemuRecord): Promise<boolean> {
  for (const folder of [layout.environments, layout.trash, layout.disks])
    await mkdir(folder, { recursive: true, mode: 0o700 })
  const draft = path.join(layout.trash, `draft-${record.name}-${randomBytes(4).toString('hex')}`)
  await mkdir(draft, { mode: 0o700 })
  await saveRecord(draft, record)
  try {
    await rename(draft, folderOf(layout, record.name))
    return true
  } catch (error) {
    await removeTree(draft)
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false
    throw error
  }
}

/** Takes the folder out of sight in one step, then removes it. */
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
