import { randomBytes } from 'node:crypto'
import { open, readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import type { ProviderContext } from '@holm/core'
import { tool } from './image.ts'
import { loadRecords, type Layout, type QemuRecord } from './record.ts'

/**
 * All disks of a namespace lie in one folder. Each is a qcow2 file over another disk or over the image of a base, and is
 * written to by one environment until another is made over it; from then on it is frozen, and may be shared. So snapshots
 * and clones are the same thing: a new file over a frozen one.
 */
export function diskFile(layout: Layout, id: string): string {
  return path.join(layout.disks, `${id}.qcow2`)
}

export function newDiskId(): string {
  return randomBytes(8).toString('hex')
}

export interface Backing {
  readonly file: string
  readonly format: 'qcow2' | 'raw'
}

/** Makes a disk over `backing`. A size makes it larger; 0.01 s, whatever is in it. */
export async function createDisk(
  file: string,
  options: {
    readonly backing: Backing
    readonly sizeBytes?: number
    readonly env: Readonly<Record<string, string>>
  },
  ctx: Pick<ProviderContext, 'runner' | 'signal'>,
): Promise<void> {
  const { backing, sizeBytes, env } = options
  const size = sizeBytes === undefined ? [] : [String(sizeBytes)]
  await tool(
    ['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', backing.file, '-F', backing.format, file, ...size],
    { env },
    ctx,
  )
}

/** The size of a disk, from its own header. */
export async function loadDiskSize(file: string): Promise<number> {
  const header = await readStart(file, 32)
  return Number(header.readBigUInt64BE(24))
}

/** The file below a disk, from its own header; undefined for none. */
export async function loadBacking(file: string): Promise<string | undefined> {
  const header = await readStart(file, 20)
  const [offset, length] = [Number(header.readBigUInt64BE(8)), header.readUInt32BE(16)]
  if (offset === 0) return undefined
  return (await readStart(file, offset + length)).toString('utf8', offset)
}

async function readStart(file: string, length: number): Promise<Buffer> {
  const handle = await open(file)
  try {
    const buffer = Buffer.alloc(length)
    await handle.read(buffer, 0, length, 0)
    return buffer
  } finally {
    await handle.close()
  }
}

/** Young files may belong to a creation whose record is not written yet. */
const youngMs = 60_000

/** Removes the disks that no record leads to. `now`: also these files, however young. */
export async function sweepDisks(layout: Layout, now: readonly string[] = []): Promise<void> {
  const names = await readdir(layout.disks).catch(() => [])
  if (names.length === 0) return
  const used = await findUsed(layout)
  // A record that cannot be read may lead to any of them.
  if (used === undefined) return
  for (const name of names) {
    const file = path.join(layout.disks, name)
    if (used.has(file)) continue
    const found = await stat(file).catch(() => undefined)
    const young = found !== undefined && Date.now() - found.mtimeMs < youngMs
    if (!young || now.includes(file)) await rm(file, { force: true })
  }
}

async function findUsed(layout: Layout): Promise<ReadonlySet<string> | undefined> {
  const folders = await readdir(layout.environments).catch(() => [])
  const records = await loadRecords(layout)
  if (records.length < folders.length) return undefined
  return new Set(await listChains(layout, records.flatMap(disksOf)))
}

/** Files of these disks and of all below them. */
export async function listChains(layout: Layout, ids: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>()
  for (const id of ids) {
    let file: string | undefined = diskFile(layout, id)
    while (file !== undefined && !found.has(file) && path.dirname(file) === layout.disks) {
      found.add(file)
      file = await loadBacking(file).catch(() => undefined)
    }
  }
  return [...found]
}

/** Disks that a record names: its own, the one below, and those of its snapshots. */
export function disksOf({ disk, untouchedOver, snapshots }: QemuRecord): string[] {
  return [
    disk,
    ...(untouchedOver === undefined ? [] : [untouchedOver]),
    ...snapshots.map((each) => each.disk),
  ]
}
