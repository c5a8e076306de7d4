import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { isHolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import type { Client } from './client.ts'
import type { Engine } from './engine.ts'
import { hostsFile } from './etc-files.ts'
import { withLock } from './lock.ts'
import { hash, label } from './names.ts'
import { isNamed } from './networks.ts'
import { filesOf, parseRecord } from './record.ts'
import type { EnvironmentRecord } from './record.ts'
import { loadRun } from './run-record.ts'

/** An environment that runs in a named network. */
export interface Member {
  readonly record: EnvironmentRecord
  readonly address: string
}

/** At the end of each line that is holm's to change; what else is in the file is the environment's own. */
const mark = '# in this network'

/** Pure: what others find it by; nothing that would be more than a name in a hosts file, or everybody's own. */
export function namesOf({
  name,
  hostname,
  aliases = [],
}: Pick<EnvironmentRecord, 'name' | 'hostname' | 'aliases'>): readonly string[] {
  return [...new Set([hostname, name, ...aliases])].filter(
    (each) => /^[A-Za-z0-9_][\w.-]*$/.test(each) && each !== 'localhost',
  )
}

/** Pure: a hosts file with the others of the network, who may have changed, and all that was written into it otherwise. */
export function withNeighbours(text: string, others: readonly Member[]): string {
  const kept = text.split('\n').filter((line) => !line.endsWith(mark))
  while (kept.at(-1) === '') kept.pop()
  const lines = others
    .toSorted((a, b) => (a.record.name < b.record.name ? -1 : 1))
    .map(({ record, address }) => `${address}\t${namesOf(record).join(' ')}\t${mark}`)
  return [...kept, ...lines, ''].join('\n')
}

interface Neighbourhood {
  readonly engine: Engine
  readonly network: string
  readonly ctx: ProviderContext
}

/**
 * Tells everybody in a named network who is there now: after one came or went. Nobody who listens inside is needed, and what a killed holm
 * did not tell is told with the next change.
 */
export async function tellNeighbours(client: Client, { engine, network, ctx }: Neighbourhood): Promise<void> {
  if (!isNamed(network)) return
  const file = path.join(engine.folder, 'locks', `names-${hash(network, 16)}`)
  try {
    await withLock({ file, what: `the names in the network ${network}`, signal: ctx.signal }, async () => {
      const members = await loadMembers(client, network)
      const told = await Promise.allSettled(members.map((member) => writeNeighbours(member, members)))
      for (const result of told)
        if (result.status === 'rejected' && !isGone(result.reason)) throw result.reason
    })
  } catch (error) {
    // They still reach each other by address; whoever comes or goes next tells it again.
    if (!isHolmError(error) && (error as NodeJS.ErrnoException).code === undefined) throw error
    ctx.log.warn(`names in the network ${network} may be out of date: ${(error as Error).message}`)
  }
}

/** It is being removed. */
function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

async function loadMembers(client: Client, network: string): Promise<readonly Member[]> {
  const [{ containers }, { tasks }] = await Promise.all([
    client.call('Containers.List', { filters: [`labels."${label.name}"`] }),
    client.call('Tasks.List', {}),
  ])
  const up = new Set(
    tasks.filter(({ status }) => status !== 'STOPPED').map(({ id, containerId }) => id || containerId),
  )
  const found = await Promise.all(
    containers
      .filter(({ id }) => up.has(id))
      .map(async (container): Promise<Member | undefined> => {
        const record = parseRecord(container)
        if (record?.network !== network) return undefined
        const address = (await loadRun(record.folder))?.address
        return address === undefined ? undefined : { record, address }
      }),
  )
  return found.filter((member) => member !== undefined)
}

/** Programs inside may write into it: more than this is no hosts file any more, and is made anew. */
const largest = 1 << 20

/** In place, for it is mounted; shortened last, so that who reads meanwhile misses no line. */
async function writeNeighbours({ record, address }: Member, members: readonly Member[]): Promise<void> {
  const file = await open(path.join(filesOf(record.folder).etc, 'hosts'), 'r+')
  try {
    const before = await readBytes(file)
    const others = members.filter((each) => each.record.name !== record.name)
    const own = before ?? hostsFile({ ...record, address, names: namesOf(record) })
    const text = withNeighbours(own, others)
    if (before === text) return
    const bytes = Buffer.from(text, 'latin1')
    await file.write(bytes, 0, bytes.length, 0)
    await file.truncate(bytes.length)
  } finally {
    await file.close()
  }
}

/** One character per byte, whatever they mean. Undefined when it is too large. */
async function readBytes(file: FileHandle): Promise<string | undefined> {
  const { size } = await file.stat()
  const buffer = Buffer.alloc(Math.min(size, largest) + 1)
  let length = 0
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length)
    if (bytesRead === 0) return buffer.toString('latin1', 0, length)
    length += bytesRead
  }
  return undefined
}
