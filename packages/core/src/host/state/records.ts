import type { DatabaseSync } from 'node:sqlite'
import type { AppliedLimit } from '../../provider.ts'
import type { CommandSpec, EnvironmentSpec, SpecOverlay } from '../../spec.ts'

/** What holm wrote down about an environment. The runtime's labels are the truth for what exists. */
export interface EnvironmentRecord {
  readonly namespace: string
  readonly name: string
  readonly provider: string
  /** 'creating' until `up` is through: found again with a dead owner, it is half-made. */
  readonly phase: 'creating' | 'ready'
  readonly project: string
  readonly source: string
  readonly hash: string
  readonly createdAt: string
  readonly details: RecordDetails
}

export interface RecordDetails {
  readonly blueprint: string
  /** Absent for an environment whose record was rebuilt from the runtime's labels. */
  readonly spec?: EnvironmentSpec
  /** The spec as the blueprint alone declares it, without what the base added: what a later `up` compares with. */
  readonly declared?: EnvironmentSpec
  /** The blueprint's check, for copies: they have no blueprint of their own. */
  readonly check?: CommandSpec
  /** What the caller of `up` added to the blueprint. */
  readonly overlay?: SpecOverlay
  /** Variables that the user's login shell sets inside (devcontainer's userEnvProbe). */
  readonly userEnv?: Readonly<Record<string, string>>
  readonly user?: string
  /** Whom the runtime runs programs as when nobody is named. */
  readonly runtimeUser?: string
  readonly workdir?: string
  /** Hash of what was provisioned; with `image` also that of the golden image it was cloned from. */
  readonly golden?: string
  readonly image?: string
  /** Of a companion: the environment that it is a service of. */
  readonly partOf?: { readonly environment: string; readonly service: string }
  /** A companion that holm was asked to stop: it has not ended by itself. */
  readonly halted?: true
  /** Limits as the last resize left them. */
  readonly limits?: readonly AppliedLimit[]
  /** A clone that was never started: it still has the machine-id and the SSH host keys of its origin. */
  readonly unborn?: true
  /** Folders and files of holm's data folder that belong to it alone, and go with it. */
  readonly owned?: readonly string[]
}

type Row = Record<string, string>

export interface Records {
  get(name: string): EnvironmentRecord | undefined
  list(): EnvironmentRecord[]
  ofProject(project: string): EnvironmentRecord[]
  put(record: EnvironmentRecord): void
  remove(name: string): void
}

export function createRecords(database: DatabaseSync, namespace: string): Records {
  const select = 'SELECT * FROM environments WHERE namespace = ?'
  return {
    get: (name) => {
      const row = database.prepare(`${select} AND name = ?`).get(namespace, name)
      return row === undefined ? undefined : recordOf(row as Row)
    },
    list: () => (database.prepare(`${select} ORDER BY name`).all(namespace) as Row[]).map(recordOf),
    ofProject: (project) =>
      (database.prepare(`${select} AND project = ? ORDER BY name`).all(namespace, project) as Row[]).map(
        recordOf,
      ),
    put: (record) => putRecord(database, record),
    remove: (name) =>
      void database.prepare('DELETE FROM environments WHERE namespace = ? AND name = ?').run(namespace, name),
  }
}

function putRecord(database: DatabaseSync, record: EnvironmentRecord): void {
  database
    .prepare(
      `INSERT INTO environments (namespace, name, provider, phase, project, source, hash, record, created_at, updated_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (namespace, name) DO UPDATE SET provider = excluded.provider, phase = excluded.phase,
         project = excluded.project, source = excluded.source, hash = excluded.hash, record = excluded.record,
         updated_at = excluded.updated_at`,
    )
    .run(
      record.namespace,
      record.name,
      record.provider,
      record.phase,
      record.project,
      record.source,
      record.hash,
      JSON.stringify(record.details),
      record.createdAt,
      new Date().toISOString(),
    )
}

function recordOf(row: Row): EnvironmentRecord {
  return {
    namespace: row['namespace'] ?? '',
    name: row['name'] ?? '',
    provider: row['provider'] ?? '',
    phase: row['phase'] === 'ready' ? 'ready' : 'creating',
    project: row['project'] ?? '',
    source: row['source'] ?? '',
    hash: row['hash'] ?? '',
    createdAt: row['created_at'] ?? '',
    details: JSON.parse(row['record'] ?? '{}') as RecordDetails,
  }
}
