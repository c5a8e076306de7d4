import { createHash } from 'node:crypto'
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { request } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'

/**
 * Everything below a folder but what `leaveOut` names, one line for each entry: kind, mode, owner and content. Equal
 * listings are equal folders. Links are not followed.
 */
export function listFolder(folder: string, leaveOut: readonly string[] = []): string[] {
  return listBelow(folder, '', leaveOut).map((path) => `${path} ${describePath(join(folder, path))}`)
}

function listBelow(folder: string, below: string, leaveOut: readonly string[]): string[] {
  const entries = readdirSync(join(folder, below), { withFileTypes: true })
  const paths = entries.map((entry) => ({ path: join(below, entry.name), entry }))
  return paths
    .filter(({ path }) => !leaveOut.includes(path))
    .flatMap(({ path, entry }) => [path, ...(entry.isDirectory() ? listBelow(folder, path, leaveOut) : [])])
    .toSorted()
}

function describePath(path: string): string {
  const stats = lstatSync(path)
  const mode = (stats.mode & 0o7777).toString(8)
  if (stats.isSymbolicLink()) return `link ${readlinkSync(path)}`
  if (!stats.isFile()) return `folder ${mode}`
  const hash = createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 12)
  return `file ${mode} ${stats.uid}:${stats.gid} ${hash}`
}

/** Mount points and processes of this machine that have one of the texts in them. */
export function listMachineTraces(...texts: readonly string[]): string[] {
  const holds = (line: string): boolean => texts.some((text) => line.includes(text))
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter(holds)
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const command = readProc(pid, 'cmdline').replaceAll('\0', ' ').trim()
      const env = readProc(pid, 'environ')
      return holds(command) || holds(env) ? [`process ${pid} ${command}`] : []
    })
  return [...mounts.map((mount) => `mount ${mount}`), ...processes]
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

/** Rows of the state file, all tables but the event log, which is kept on purpose. */
export function listStateRows(home: string): string[] {
  const files = listBelow(home, '', ['cache'])
    .filter((path) => /\.(db|sqlite3?)$/.test(path))
    .map((path) => join(home, path))
  if (files.length === 0) throw new Error(`no state file below ${home}`)
  return files.flatMap((file) => listRows(file))
}

function listRows(file: string): string[] {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
    const names = tables
      .map(({ name }) => String(name))
      .filter((name) => name !== 'events' && !name.startsWith('sqlite_'))
    return names.flatMap((name) =>
      database
        .prepare(`SELECT * FROM "${name}"`)
        .all()
        .map((row) => `${name} ${JSON.stringify(row)}`),
    )
  } finally {
    database.close()
  }
}

interface EngineObject {
  readonly Id?: string
  readonly Name?: string
  readonly Names?: readonly string[]
  readonly Labels?: Readonly<Record<string, string>> | null
}

/** Everything of an engine that carries the namespace in a name or label; nothing where there is no engine. */
export async function listEngineTraces(host: string, namespace: string): Promise<string[]> {
  if (host === '') return []
  const socket = host.replace('unix://', '')
  const { Volumes } = (await ask(socket, '/volumes')) as { Volumes: EngineObject[] | null }
  const all = {
    container: (await ask(socket, '/containers/json?all=1')) as EngineObject[],
    volume: Volumes ?? [],
    network: (await ask(socket, '/networks')) as EngineObject[],
    // An imported base carries no namespace: it is shared, as a pulled image would be, and stays.
    image: (await ask(socket, '/images/json?all=1')) as EngineObject[],
  }
  return Object.entries(all).flatMap(([kind, objects]) =>
    objects
      .filter((object) => JSON.stringify(object).includes(namespace))
      .map((object) => `${kind} ${describeObject(object)}`),
  )
}

function describeObject({ Id, Name, Names }: EngineObject): string {
  return Name ?? Names?.join(' ') ?? Id ?? '?'
}

function ask(socketPath: string, path: string): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const call = request({ socketPath, path, timeout: 10_000 }, (response) => {
    let text = ''
    response.on('data', (chunk: Buffer) => (text += chunk.toString()))
    response.on('end', () => {
      if (response.statusCode === 200) resolve(JSON.parse(text))
      else reject(new Error(`${path}: ${response.statusCode} ${text}`))
    })
  })
  call.on('error', reject)
  call.on('timeout', () => call.destroy(new Error(`${path}: no answer`)))
  call.end()
  return promise
}
