import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type {
  AppliedLimit,
  BaseInfo,
  EnvironmentStatus,
  Mount,
  PortBinding,
  PortRequest,
  SnapshotInfo,
} from '@holm/core'

/** What the fake runtime knows of one environment. JSON-safe: it may live in a file. */
export interface MemoryRecord {
  readonly id: string
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly createdAt: string
  readonly env: Readonly<Record<string, string>>
  readonly mounts: readonly Mount[]
  readonly requestedPorts: readonly PortRequest[]
  limits: readonly AppliedLimit[]
  status: Exclude<EnvironmentStatus, 'absent'>
  startedAt?: string
  reason?: string
  ports: readonly PortBinding[]
  /** Process groups started by `exec` and not known to have ended. */
  groups: number[]
  snapshots: SnapshotInfo[]
}

export interface MemoryData {
  /** `<namespace>/<name>` to record. */
  readonly environments: Record<string, MemoryRecord>
  /** Bases the fake runtime "holds", by their key. */
  readonly images: Record<string, BaseInfo>
}

/** Where the fake runtime keeps what it knows. `change` is synchronous: nothing can come between its read and its write. */
export interface MemoryStore {
  read(): Promise<MemoryData>
  update<T>(change: (data: MemoryData) => T): Promise<T>
}

/** Lives as long as the provider object. */
export function createMapStore(): MemoryStore {
  const data: MemoryData = { environments: {}, images: {} }
  return {
    read: async () => structuredClone(data),
    update: async (change) => change(data),
  }
}

/** Lives in a JSON file, so that several processes see one runtime. Written atomically, changed under a lock. */
export function createFileStore(file: string): MemoryStore {
  return {
    read: async () => readData(file),
    update: async (change) => {
      mkdirSync(dirname(file), { recursive: true })
      await acquireLock(`${file}.lock`)
      try {
        const data = readData(file)
        const result = change(data)
        writeFileSync(`${file}.new`, JSON.stringify(data, null, 2))
        renameSync(`${file}.new`, file)
        return result
      } finally {
        rmSync(`${file}.lock`, { force: true })
      }
    },
  }
}

function readData(file: string): MemoryData {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as MemoryData
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { environments: {}, images: {} }
    throw error
  }
}

async function acquireLock(lock: string): Promise<void> {
  while (!takeLock(lock)) {
    breakStaleLock(lock)
    await sleep(2)
  }
}

function takeLock(lock: string): boolean {
  try {
    const handle = openSync(lock, 'wx')
    writeFileSync(handle, String(process.pid))
    closeSync(handle)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** A test kills holm processes on purpose: the lock of a dead one must not stop the others. */
function breakStaleLock(lock: string): void {
  const owner = readOwner(lock)
  if (owner === undefined || isAlive(owner)) return
  const aside = `${lock}.${process.pid}`
  try {
    renameSync(lock, aside)
  } catch {
    return
  }
  // Somebody else may have broken and taken it between our look and our rename: then it goes back.
  if (readOwner(aside) === owner) rmSync(aside, { force: true })
  else renameSync(aside, lock)
}

function readOwner(lock: string): number | undefined {
  try {
    return Number(readFileSync(lock, 'utf8')) || undefined
  } catch {
    return undefined
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
