import path from 'node:path'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { HolmError } from '@holm/core'
import type { FilesFacet, Process, ProviderContext } from '@holm/core'
import { findContainer } from './container.ts'
import { execInside } from './exec.ts'
import { resolveInside } from './files-on-disk.ts'
import { asInnerRoot } from './id-map.ts'
import { layersOf, withRoot } from './layers.ts'
import { volumeFolder } from './layout.ts'
import { assertReady, loadWhole } from './lifecycle.ts'
import type { LxcRecord } from './record.ts'
import type { Session } from './session.ts'
import { isPaused } from './state.ts'
import { toolError } from './tools.ts'

interface Transfer {
  readonly target: string
  readonly write: boolean
  /** The words of tar for the path as it is where tar runs. */
  readonly words: (place: string) => readonly string[]
}

/** tar streams: of a running environment through its own tar, so that mounts are as inside; of a stopped one over its layers. */
export function createFiles(session: Session): FilesFacet {
  return {
    put: async (name, { path: target, tar }, ctx) => {
      const words = (place: string): string[] => ['tar', '-x', '-p', '-f', '-', '-C', place]
      const process = await startTar(session, { name, transfer: { target, write: true, words } }, ctx)
      process.stdout.resume()
      const errors = collectText(process.stderr)
      if (process.stdin) await feed(tar, process.stdin, ctx.signal)
      await assertDone(process, target, errors)
    },
    async *get(name, given, ctx) {
      const target = path.posix.normalize(given).replace(/(.)\/$/, '$1')
      const words = (place: string): string[] => {
        const found = path.posix.basename(place)
        const folder = path.posix.dirname(place)
        return [
          'tar',
          '-c',
          '-f',
          '-',
          '-C',
          folder,
          ...renaming(found, path.posix.basename(target)),
          '--',
          found,
        ]
      }
      const process = await startTar(session, { name, transfer: { target, write: false, words } }, ctx)
      const errors = collectText(process.stderr)
      const held: Uint8Array[] = []
      let sent = false
      for await (const chunk of process.stdout as AsyncIterable<Uint8Array>) {
        // A tar of nothing is written, too, before the error is known.
        sent ||= chunk.some((byte) => byte !== 0)
        if (sent) yield chunk
        else held.push(chunk)
      }
      await assertDone(process, target, errors)
      yield* held
    },
  }
}

/** The folder of a volume has another name on this machine than inside, which is the one that the archive gets. */
function renaming(found: string, wanted: string): string[] {
  if (found === wanted) return []
  const pattern = found.replaceAll(/[.*[\]^$\\,]/g, String.raw`\$&`)
  const name = wanted.replaceAll(/[&\\,]/g, String.raw`\$&`)
  // Names of entries and of hard links, not what symbolic links point to.
  return [`--transform=flags=rh;s,^${pattern},${name},`]
}

async function startTar(
  session: Session,
  { name, transfer }: { readonly name: string; readonly transfer: Transfer },
  ctx: ProviderContext,
): Promise<Process> {
  const { target, write, words } = transfer
  const record = await session.require(name)
  const stdin = write ? 'pipe' : 'ignore'
  const container = findContainer(session.folder(name))
  if (container !== undefined && !isPaused(container)) {
    const request = { argv: words(target), user: '0:0', stdin, cwd: '/' } as const
    return execInside(session, { record, container }, { request, ctx })
  }
  assertReady(record)
  const whole = await loadWhole(session, name, ctx)
  const { prefix, place } = outsidePath(session, whole, target)
  return ctx.runner.spawn([...prefix, ...words(place)], {
    cwd: session.folder(name),
    env: session.env,
    stdin,
    signal: ctx.signal,
  })
}

async function feed(tar: AsyncIterable<Uint8Array>, stdin: Writable, signal: AbortSignal): Promise<void> {
  try {
    await pipeline(Readable.from(tar), stdin, { signal })
  } catch (error) {
    // tar stops reading when it has failed, and says itself what is wrong.
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EPIPE' && code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
  }
}

export async function collectText(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks).toString('utf8')
}

async function assertDone(process: Process, target: string, errors: Promise<string>): Promise<void> {
  const { code } = await process.exited
  const text = (await errors).trim()
  if (code === 0) return
  if (/No such file|Cannot open|Cannot stat|can't (?:open|stat|change)|Not a directory/.test(text)) {
    throw new HolmError('HOLM_USAGE', `cannot copy ${target}: ${text.split('\n')[0] ?? ''}`, {
      hint: 'Name a file or folder that exists inside.',
    })
  }
  throw toolError(`copy ${target}`, text || `tar ended with ${code}`)
}

interface OutsidePath {
  /** Words that show the files as they are inside, to what follows alone. */
  readonly prefix: readonly string[]
  readonly place: string
}

/** Where a path of a stopped environment is on this machine. HOLM_USAGE for what is not there. */
function outsidePath(session: Session, record: LxcRecord, target: string): OutsidePath {
  const folder = session.folder(record.name)
  const roots = rootsOf(session, record, folder).filter(
    ({ at }) => !path.posix.relative(at, target).startsWith('..'),
  )
  const root = roots.toSorted((one, other) => other.at.length - one.at.length)[0]
  const found = root && resolveInside(root.layers, path.posix.relative(root.at, target))
  if (root === undefined || found?.kind === undefined) {
    throw new HolmError(
      'HOLM_USAGE',
      `${target} does not exist in environment ${record.name}, or only while it runs`,
      {
        hint: 'Name a file or folder that exists, or start the environment.',
      },
    )
  }
  if (root.at !== '/')
    return { prefix: asInnerRoot(record.idMap), place: path.join(root.layers[0] ?? '', found.inner) }
  return { prefix: withRoot(record, true), place: path.join(folder, 'root', found.inner) }
}

/** Places that keep their files while nothing runs, with the folders that hold them. */
function rootsOf(
  session: Session,
  record: LxcRecord,
  folder: string,
): { at: string; layers: readonly string[] }[] {
  const mounted = record.mounts.flatMap((mount, index) => {
    if (mount.type === 'tmpfs') return []
    const source =
      mount.type === 'bind'
        ? mount.source
        : volumeFolder(session.layout, folder, {
            ...(mount.source === undefined ? {} : { source: mount.source }),
            index,
          })
    return [{ at: mount.target, layers: [source] }]
  })
  return [...mounted, { at: '/', layers: layersOf(record, folder) }]
}
