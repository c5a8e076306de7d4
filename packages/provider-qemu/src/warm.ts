import { createHash, randomBytes } from 'node:crypto'
import {
  copyFile,
  mkdir,
  open,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { fileNames, machineArgv, type MachineConfig } from './argv.ts'
import { removeTree } from './files-on-disk.ts'
import { resumeMachine, writeMemory } from './memory.ts'
import { withQmp } from './qmp.ts'

/**
 * The memory of a machine that has started its kernel and waits for its configuration: a machine of the same make goes on from
 * there instead of starting its kernel again, which is most of what an emulated start takes. Nothing of an environment is in it.
 */
export interface WarmStart {
  /** File of the memory. */
  readonly memory: string
  /** Addresses that the cards of the saved machine have. */
  readonly macs: { readonly card?: string; readonly control: string }
}

const memoryName = 'memory'
const kept = 6
const abandonedMs = 600_000

/** What two machines have to have in common. Pure. */
export function makeOf(config: MachineConfig, version: string): string {
  const { card } = config
  const none = '00:00:00:00:00:00'
  const argv = machineArgv({
    ...config,
    name: '',
    id: '',
    disk: '',
    initrd: '',
    controlMac: none,
    shares: config.shares.map(({ tag }) => ({ tag, source: '', readonly: false, owners: 'same' })),
    ...(card === undefined ? {} : { card: { mac: none, ports: [] } }),
  })
  return createHash('sha256')
    .update(JSON.stringify([version, argv]))
    .digest('hex')
    .slice(0, 24)
}

/** The saved memory of that make, marked as used. */
export async function findWarmStart(cache: string, make: string): Promise<WarmStart | undefined> {
  const folder = path.join(cache, 'warm', make)
  const text = await readFile(path.join(folder, 'macs.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const now = new Date()
  await utimes(folder, now, now).catch(() => undefined)
  return { memory: path.join(folder, memoryName), macs: JSON.parse(text) as WarmStart['macs'] }
}

export function forgetWarmStart(cache: string, make: string): Promise<void> {
  return removeTree(path.join(cache, 'warm', make))
}

/** The name by which the machine in `folder` finds the memory: no character of it means anything to a shell. */
export async function linkWarmStart({ memory }: WarmStart, folder: string): Promise<string> {
  const name = 'warm-start'
  await rm(path.join(folder, name), { force: true })
  await symlink(memory, path.join(folder, name))
  return name
}

interface Keep {
  readonly cache: string
  readonly make: string
  /** Folder of the machine, which waits for its configuration. */
  readonly folder: string
  readonly macs: WarmStart['macs']
}

/** Saves the memory of a waiting machine for others of its make. Without room for it there is none. */
export async function keepWarmStart(
  { cache, make, folder, macs }: Keep,
  ctx: Pick<ProviderContext, 'signal' | 'log'>,
): Promise<void> {
  const all = path.join(cache, 'warm')
  const draft = path.join(all, `.draft-${randomBytes(6).toString('hex')}`)
  const file = `warm-${randomBytes(6).toString('hex')}`
  try {
    await mkdir(draft, { recursive: true, mode: 0o700 })
    await withQmp(folder, async (qmp) => {
      await qmp.run('stop')
      try {
        await writeMemory(qmp, { folder, file }, ctx)
      } finally {
        await resumeMachine(qmp)
      }
    })
    await moveFile(path.join(folder, file), path.join(draft, memoryName))
    await writeFile(path.join(draft, 'macs.json'), JSON.stringify(macs), { mode: 0o600 })
    await rename(draft, path.join(all, make))
    await sweep(all)
  } catch (error) {
    if (ctx.signal.aborted) throw error
    // Another holm kept one meanwhile, or there is no room: the next machine starts its kernel by itself.
    ctx.log.debug(
      `no memory is kept for the next start: ${error instanceof Error ? error.message : String(error)}`,
    )
  } finally {
    await rm(path.join(folder, file), { force: true })
    // Where no draft could be made none can be removed either: a start does not fail for it.
    await removeTree(draft).catch(() => undefined)
  }
}

async function moveFile(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    await copyFile(from, to)
  }
}

/** Leaves the few that were used last. */
async function sweep(all: string): Promise<void> {
  const found = await Promise.all(
    (await readdir(all)).map(async (name) => {
      const usedMs = (await stat(path.join(all, name)).catch(() => undefined))?.mtimeMs
      return { name, usedMs: usedMs ?? 0 }
    }),
  )
  const drafts = found.filter(({ name, usedMs }) => name.startsWith('.') && Date.now() - usedMs > abandonedMs)
  const old = found
    .filter(({ name }) => !name.startsWith('.'))
    .toSorted((a, b) => b.usedMs - a.usedMs)
    .slice(kept)
  for (const { name } of [...drafts, ...old]) await removeTree(path.join(all, name))
}

/** Tells the machine what it is; the connection is held until `work` is done. */
export async function withConfigured<T>(folder: string, text: string, work: () => Promise<T>): Promise<T> {
  const handle = await open(folder)
  try {
    // The folder is opened first, for a path to a socket may not be long.
    const socket = await connectTo(path.join('/proc/self/fd', String(handle.fd), fileNames.channel))
    try {
      socket.write(`${text}end\n`)
      return await work()
    } finally {
      socket.destroy()
    }
  } finally {
    await handle.close()
  }
}

function connectTo(file: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const socket = connect(file)
  socket.once('connect', () => resolve(socket))
  socket.on('error', (cause) =>
    reject(new HolmError('HOLM_ENVIRONMENT_FAILED', 'the machine takes no configuration', { cause })),
  )
  return promise
}
