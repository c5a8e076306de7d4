import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import type { PortBinding } from '@holm/core'
import { filesOf } from './record.ts'

/** What holds from a start to its stop. Written before anything outside containerd is made, so that it can be undone. */
export interface RunRecord {
  readonly startedAt: string
  readonly ports: readonly PortBinding[]
  /** Id that the CNI plugins know; absent without a network of ours. */
  readonly cniId?: string
  readonly address?: string
}

export async function loadRun(folder: string): Promise<RunRecord | undefined> {
  const text = await readFile(filesOf(folder).run, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as RunRecord
  } catch {
    return undefined
  }
}

export async function saveRun(folder: string, run: RunRecord): Promise<void> {
  const { run: file } = filesOf(folder)
  await writeFile(`${file}.new`, JSON.stringify(run), { mode: 0o600 })
  await rename(`${file}.new`, file)
}

export async function removeRun(folder: string): Promise<void> {
  await rm(filesOf(folder).run, { force: true })
}
