import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { AppliedLimit, EnvironmentSpec, PortBinding } from '@holm/core'
import { isMissing } from './files-on-disk.ts'
import type { IdMap } from './id-map.ts'
import { folderOf, type Layout } from './layout.ts'
import { makerTag } from './maker.ts'
import type { LxcOptions } from './options.ts'
import type { ProcessIdentity } from './processes.ts'

/** How the writable root is made: an overlay, or a copy where overlays do not work. */
export type Layering = 'overlay' | 'copy'

type SpecEssentials = Pick<
  EnvironmentSpec,
  'base' | 'hostname' | 'user' | 'main' | 'env' | 'mounts' | 'ports' | 'network' | 'resources' | 'security'
>

/** What is stored of an environment; replaced atomically. Whether it runs is not stored: the container itself tells. */
export interface LxcRecord extends SpecEssentials {
  readonly version: 1
  readonly name: string
  /** 'creating' until the files are in place; with a dead creator it is a failed creation. */
  readonly status: 'creating' | 'ready'
  readonly creator: ProcessIdentity
  readonly createdAt: string
  readonly labels: Readonly<Record<string, string>>
  readonly options: LxcOptions
  readonly layering: Layering
  /** Read-only layers below the environment's own, top first, the base last. Absolute paths. */
  readonly layers: readonly string[]
  /** The environment's own layer is about to become this shared one: finished or undone by whoever comes next. */
  readonly freezing?: string
  /** The environment is about to stand on these layers, with nothing of its own: finished by whoever comes next. */
  readonly restoring?: readonly string[]
  /** Ids of an ordinary user's container; absent for root's. */
  readonly idMap?: IdMap
}

/** What is true of one start, written before the container is started. */
export interface RunFacts {
  /** Of the machine: another one means that it was restarted since. */
  readonly boot: string
  readonly startedAt: string
  readonly ports: readonly PortBinding[]
  readonly limits: readonly AppliedLimit[]
}

/** Undefined when there is none. A damaged record is HOLM_ENVIRONMENT_FAILED. */
export async function loadRecord(folder: string): Promise<LxcRecord | undefined> {
  const text = await readIfThere(path.join(folder, 'record.json'))
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as LxcRecord
  } catch (error) {
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `the record in ${folder} is damaged`, {
      hint: 'Remove the environment and create it again.',
      cause: error,
    })
  }
}

/** Small files are read and written at once: a queue of threads costs more than the work. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

export async function saveRecord(folder: string, record: LxcRecord): Promise<void> {
  await replaceFile(path.join(folder, 'record.json'), JSON.stringify(record, null, 2))
}

export async function saveRun(folder: string, facts: RunFacts): Promise<void> {
  await replaceFile(path.join(folder, 'run.json'), JSON.stringify(facts))
}

/** Undefined when it was stopped, or never started. */
export async function loadRun(folder: string): Promise<RunFacts | undefined> {
  const text = await readIfThere(path.join(folder, 'run.json'))
  return text === undefined ? undefined : (JSON.parse(text) as RunFacts)
}

/** A reader sees the old or the new content, never a part. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomBytes(4).toString('hex')}`
  try {
    writeFileSync(draft, text, { mode: 0o600 })
    renameSync(draft, file)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}

/** Makes the environment's folder with its record in it, in one step. False when the name is taken: the rename decides. */
export async function claimFolder(layout: Layout, record: LxcRecord): Promise<boolean> {
  mkdirSync(layout.environments, { recursive: true, mode: 0o711 })
  const draft = path.join(layout.trash, `draft-${makerTag()}-${record.name}`)
  mkdirSync(draft, { recursive: true, mode: 0o711 })
  try {
    await saveRecord(draft, record)
    renameSync(draft, folderOf(layout, record.name))
    return true
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false
    throw error
  }
}
