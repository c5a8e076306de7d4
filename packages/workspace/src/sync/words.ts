import { HolmError } from '@holm/core'
import type { WorkspaceRecord } from '../record.ts'

export interface SyncWords {
  /** Names, each once. */
  readonly workers: readonly string[]
  readonly paths: readonly string[]
}

/** What words can mean here: workers of this repository by number, and everything that has a name. */
export interface Known {
  readonly workers: readonly Pick<WorkspaceRecord, 'name' | 'worker'>[]
  /** Of workspaces and environments. */
  readonly names: ReadonlySet<string>
}

/**
 * Whole numbers and known names are workers, all else are paths; `./1` is a path. HOLM_WORKSPACE_NOT_FOUND for a number that
 * no worker has: a path of that name is not what was meant, and would be the wrong thing to copy.
 */
export function splitWords(words: readonly string[], known: Known): SyncWords {
  const workers = new Set<string>()
  const paths: string[] = []
  for (const word of words) {
    const name = workerOf(word, known)
    if (name === undefined) paths.push(word)
    else workers.add(name)
  }
  return { workers: [...workers], paths }
}

/** The worker that a word means, if it means one. */
export function workerOf(word: string, { workers, names }: Known): string | undefined {
  if (!/^\d+$/.test(word)) return names.has(word) ? word : undefined
  const found = workers.find(({ worker }) => worker === Number(word))
  if (found) return found.name
  const numbers = workers.map(({ worker }) => worker).join(', ')
  throw new HolmError('HOLM_WORKSPACE_NOT_FOUND', `there is no worker ${word}`, {
    hint: `${numbers === '' ? 'Make some: holm spawn 4' : `There are: ${numbers}`}; a path is written ./${word}`,
    details: { worker: word },
  })
}
