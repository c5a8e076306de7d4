import { basename } from 'node:path'
import { HolmError } from '@holm/core'
import type { WorkspaceRecord } from '../record.ts'

/** `<repository>-worker-<n>`, as short as a name has to be. */
export function workerName(repository: string, number: number): string {
  const slug = basename(repository)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
  const suffix = `worker-${number}`
  const room = slug.slice(0, 40 - suffix.length - 1).replace(/-+$/, '')
  return room === '' ? suffix : `${room}-${suffix}`
}

export type Worker = WorkspaceRecord & { readonly worker: number }

/** The workers of a repository, by number. */
export function workersOf(records: readonly WorkspaceRecord[], repository: string): Worker[] {
  return records
    .filter((record): record is Worker => record.repository === repository && record.worker !== undefined)
    .toSorted((a, b) => a.worker - b.worker)
}

/** "1,3" or names, separated by commas; all of them without. HOLM_WORKSPACE_NOT_FOUND names the one that is none. */
export function chooseWorkers(workers: readonly Worker[], wanted: string | undefined): readonly Worker[] {
  if (wanted === undefined) return workers
  const words = wanted.split(',').map((word) => word.trim())
  return words.map((word) => {
    const found = workers.find(({ worker, name }) => String(worker) === word || name === word)
    if (found) return found
    throw new HolmError('HOLM_WORKSPACE_NOT_FOUND', `there is no worker ${JSON.stringify(word)}`, {
      hint:
        workers.length === 0
          ? 'Make some: holm spawn 4'
          : `There are: ${workers.map(({ worker }) => worker).join(', ')}`,
      details: { worker: word },
    })
  })
}
