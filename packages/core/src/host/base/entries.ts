import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { HolmError } from '../../errors.ts'
import { createFolder, unreadableError } from '../config/folders.ts'
import type { DiskFormat } from './disk.ts'

/** A base of this machine: what `<data>/bases/<name>.json` holds. Exactly one of the forms is set. */
export interface LocalBase {
  readonly version: 1
  readonly name: string
  readonly image?: string
  readonly rootfs?: { readonly path: string; readonly sha256: string; readonly sizeBytes: number }
  readonly folder?: string
  readonly disk?: LocalDisk
  /** ISO 8601. */
  readonly addedAt: string
}

/** The disk of a machine: a file of this machine. */
export interface LocalDisk {
  readonly path: string
  readonly format: DiskFormat
  readonly sha256: string
  readonly sizeBytes: number
}

const suffix = '.json'

function fileOf(folder: string, name: string): string {
  return join(folder, `${encodeURIComponent(name)}${suffix}`)
}

/** The error for a file of ours that cannot be written: a full disk is named as such. */
export function storageError(path: string, cause: unknown): HolmError {
  if (!isDiskFull(cause)) return unreadableError(path, cause)
  return new HolmError('HOLM_DISK_FULL', `no space left while writing ${path}`, {
    hint: 'Free space, or set HOLM_HOME to a folder on another disk.',
    cause,
    details: { path },
  })
}

export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}

/** Writes JSON so that a reader sees the old or the new file, never a part. Mode 0600. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  createFolder(dirname(path))
  const part = `${path}.${randomUUID()}.part`
  try {
    await writeFile(part, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 })
    await rename(part, path)
  } catch (error) {
    throw storageError(path, error)
  } finally {
    await rm(part, { force: true })
  }
}

/** Undefined when there is no file; HOLM_BASE_INVALID when it holds no JSON object. */
export async function readJson<T>(path: string): Promise<T | undefined> {
  const text = readText(path)
  if (text === undefined) return undefined
  try {
    const value = JSON.parse(text) as T
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Falls through: what is no JSON is as wrong as what is no object.
  }
  throw new HolmError('HOLM_BASE_INVALID', `${path} is damaged`, {
    hint: `Remove the file and add the base again.`,
    details: { path },
  })
}

export function loadEntry(folder: string, name: string): Promise<LocalBase | undefined> {
  return readJson<LocalBase>(fileOf(folder, name))
}

/** The first of the names that has an entry. */
export async function findEntry(folder: string, names: readonly string[]): Promise<LocalBase | undefined> {
  for (const name of names) {
    const entry = await loadEntry(folder, name)
    if (entry) return entry
  }
  return undefined
}

/** At once: promises of files start threads, which a command of a moment has no other use for. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new HolmError('HOLM_CONFIG_UNREADABLE', `${path} cannot be read`, { cause: error })
  }
}

/** All entries, by name. A damaged one is left out: it must not hide the others. */
export async function loadEntries(folder: string): Promise<readonly LocalBase[]> {
  const files = (await readdir(folder).catch(() => [])).filter(
    (file) => file.endsWith(suffix) && !file.startsWith('.'),
  )
  const entries = await Promise.all(
    files.map((file) => readJson<LocalBase>(join(folder, file)).catch(() => undefined)),
  )
  return entries.filter((entry) => entry !== undefined).toSorted((a, b) => a.name.localeCompare(b.name))
}

export function saveEntry(folder: string, entry: LocalBase): Promise<void> {
  return writeJson(fileOf(folder, entry.name), entry)
}

export function removeEntry(folder: string, name: string): Promise<void> {
  return rm(fileOf(folder, name), { force: true })
}
