import { createHash } from 'node:crypto'
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
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

const largest = 256 * 1024 ** 2

function describePath(path: string): string {
  const stats = lstatSync(path)
  const mode = (stats.mode & 0o7777).toString(8)
  if (stats.isSymbolicLink()) return `link ${readlinkSync(path)}`
  if (!stats.isFile()) return `folder ${mode}`
  // The disk of a machine is told by its size and time: it is larger than what can be read at once.
  if (stats.size > largest) return `file ${mode} ${stats.uid}:${stats.gid} ${stats.size} ${stats.mtimeMs}`
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
