import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { argv } from './argv.ts'
import { formatConfig } from './config.ts'
import { notFound } from './failures.ts'
import { instancePrefix } from './names.ts'
import { parseRecord, type LimaRecord } from './record.ts'
import type { Context, Session } from './session.ts'

/** An environment as its files tell. */
export interface Stored {
  readonly instance: string
  readonly record: LimaRecord
  /** Being made, or left half-made: its draft is still there. */
  readonly draft: boolean
}

/**
 * The configuration an instance is made from. It is written first and removed last, so that whatever is killed in
 * between leaves a name and labels behind.
 */
export function draftFile(session: Session, instance: string): string {
  return session.ownFile(`${instance}.yaml`)
}

export async function writeDraft(session: Session, instance: string, record: LimaRecord): Promise<string> {
  const file = draftFile(session, instance)
  await writeFile(file, formatConfig(record), { mode: 0o600 })
  return file
}

export async function removeDraft(session: Session, instance: string): Promise<void> {
  await rm(draftFile(session, instance), { force: true })
}

/** Undefined when there is no such environment. */
export async function loadStored(session: Session, name: string): Promise<Stored | undefined> {
  const stored = await loadInstance(session, session.instance(name))
  return stored?.record.name === name ? stored : undefined
}

export async function requireStored(session: Session, name: string): Promise<Stored> {
  const stored = await loadStored(session, name)
  if (stored === undefined) throw notFound(name)
  return stored
}

/** All of this namespace. */
export async function listStored(session: Session): Promise<readonly Stored[]> {
  const names = new Set([...(await instanceFolders(session)), ...(await draftNames(session))])
  const found = await Promise.all([...names].sort().map((instance) => loadInstance(session, instance)))
  return found.filter((each) => each !== undefined)
}

async function loadInstance(session: Session, instance: string): Promise<Stored | undefined> {
  const draft = await readRecord(draftFile(session, instance))
  const record = draft ?? (await readRecord(configFile(session, instance)))
  if (record === undefined || record.namespace !== session.settings.namespace) return undefined
  // A copy that somebody made by hand carries another's record.
  if (session.instance(record.name) !== instance) return undefined
  return { instance, record, draft: draft !== undefined }
}

async function readRecord(file: string): Promise<LimaRecord | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : parseRecord(text)
}

export function configFile(session: Session, instance: string): string {
  return path.join(session.folder(instance), 'lima.yaml')
}

async function instanceFolders(session: Session): Promise<readonly string[]> {
  const entries = await readdir(session.home).catch(() => [])
  return entries.filter((entry) => entry.startsWith(instancePrefix))
}

async function draftNames(session: Session): Promise<readonly string[]> {
  const entries = await readdir(session.ownFile('')).catch(() => [])
  const names = entries.map((entry) => /^(holm-.*)\.yaml$/.exec(entry)?.[1])
  return names.filter((name) => name !== undefined && !name.endsWith('-new')) as string[]
}

/** Replaces an instance's configuration, after limactl found nothing wrong with it. Holds from the next start on. */
export async function saveRecord(session: Session, stored: Stored, ctx: Context): Promise<Stored> {
  const { instance, record } = stored
  const file = session.ownFile(`${instance}-new.yaml`)
  await writeFile(file, formatConfig(record), { mode: 0o600 })
  try {
    await session.run(
      {
        argv: argv.validate(file),
        action: `change the configuration of ${record.name}`,
        environment: record.name,
      },
      ctx,
    )
    await rename(file, configFile(session, instance))
  } finally {
    await rm(file, { force: true })
  }
  return stored
}
