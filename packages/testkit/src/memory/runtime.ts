import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { HolmError, notRunning } from '@holm/core'
import type { EnvironmentState, FacetName, Probe, ProviderContext, Traits } from '@holm/core'
import { applyFault, waitFor, type Faults, type MemoryCall } from './faults.ts'
import { createFolders, type MemoryFolders } from './folders.ts'
import { createFileStore, createMapStore, type MemoryRecord, type MemoryStore } from './store.ts'

export interface MemoryOptions {
  /** Provider id; default `memory`. */
  readonly id?: string
  /** JSON file that holds the runtime's state: several processes (or providers) given one file see one runtime. Default: this object alone. */
  readonly file?: string
  /** Folder of the environments' files. Default: next to `file`, else a new temporary folder that `dispose` removes. */
  readonly root?: string
  /** Environments of other namespaces are not seen. Default `holm`. */
  readonly namespace?: string
  /** Facets it has; default all. */
  readonly facets?: readonly FacetName[]
  readonly traits?: Partial<Traits>
  readonly probe?: Partial<Probe>
  /** Every call waits this long first. */
  readonly delayMs?: number
  readonly faults?: Faults
  /** Shell scripts put on every environment's PATH by name: `{ 'apt-get': '#!/bin/sh\necho "$@"\n' }`. */
  readonly programs?: Readonly<Record<string, string>>
}

/** What the parts of the memory provider share. */
export interface MemoryRuntime {
  readonly id: string
  readonly namespace: string
  readonly folders: MemoryFolders
  readonly store: MemoryStore
  readonly options: MemoryOptions
  readonly calls: MemoryCall[]
  readonly faults: Faults
  /** Records the call, then waits or throws as programmed. First statement of every method. */
  enter(method: string, ctx: ProviderContext, name?: string): Promise<void>
  key(name: string): string
  /** The record, or HOLM_ENVIRONMENT_NOT_FOUND. */
  find(name: string): Promise<MemoryRecord>
  /** Changes a record under the store's lock; HOLM_ENVIRONMENT_NOT_FOUND when it is gone. */
  change(name: string, change: (record: MemoryRecord) => void): Promise<MemoryRecord>
  dispose(): Promise<void>
}

export function createRuntime(options: MemoryOptions): MemoryRuntime {
  const namespace = options.namespace ?? 'holm'
  const owned = options.root === undefined && options.file === undefined
  const folders = createFolders(resolveRoot(options))
  const store = options.file === undefined ? createMapStore() : createFileStore(options.file)
  const calls: MemoryCall[] = []
  const faults: Faults = { ...options.faults }
  const key = (name: string): string => `${namespace}/${name}`
  return {
    id: options.id ?? 'memory',
    namespace,
    folders,
    store,
    options,
    calls,
    faults,
    key,
    enter: async (method, ctx, name) => {
      calls.push(name === undefined ? { method } : { method, name })
      await waitFor(options.delayMs ?? 0, ctx.signal)
      // `create` meets its fault in the middle, where clean-up has something to do.
      if (method !== 'create') await applyFault(faults[method], ctx)
    },
    find: async (name) => assertFound((await store.read()).environments[key(name)], name),
    change: (name, change) =>
      store.update((data) => {
        const record = assertFound(data.environments[key(name)], name)
        change(record)
        return structuredClone(record)
      }),
    dispose: async () => {
      if (owned) await rm(folders.root, { recursive: true, force: true })
    },
  }
}

/** What the contract says about a record. */
export function stateOf(runtime: MemoryRuntime, record: MemoryRecord): EnvironmentState {
  return {
    name: record.name,
    provider: runtime.id,
    status: record.status,
    id: record.id,
    createdAt: record.createdAt,
    ...(record.startedAt === undefined ? {} : { startedAt: record.startedAt }),
    ...(record.reason === undefined ? {} : { reason: record.reason }),
    labels: record.labels,
    ports: record.ports,
    limits: record.limits,
  }
}

export function absentState(runtime: MemoryRuntime, name: string): EnvironmentState {
  return { name, provider: runtime.id, status: 'absent', labels: {}, ports: [], limits: [] }
}

export function assertRunning(record: MemoryRecord): void {
  if (record.status === 'running') return
  throw notRunning(record.name, { status: record.status === 'paused' ? 'paused' : 'not running' })
}

function resolveRoot(options: MemoryOptions): string {
  if (options.root !== undefined) return options.root
  if (options.file !== undefined) return join(dirname(options.file), 'memory')
  return mkdtempSync(join(tmpdir(), 'holm-memory-'))
}

function assertFound(record: MemoryRecord | undefined, name: string): MemoryRecord {
  if (record) return record
  throw new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', `no environment ${name}`, {
    hint: 'List what exists: holm list --all.',
  })
}
