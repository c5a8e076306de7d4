import path from 'node:path'
import { HolmError } from '@holm/core'
import type { FilesFacet, Process, ProviderContext } from '@holm/core'
import { pipeline } from 'node:stream/promises'
import { Readable, type Writable } from 'node:stream'
import { resolveInside } from './folders.ts'
import { layersOf, overlayOptions } from './launch.ts'
import type { SandboxRecord } from './record.ts'
import type { Session } from './session.ts'
import { isRunning } from './state.ts'
import { volumeSource } from './volumes.ts'

interface Transfer {
  readonly target: string
  readonly write: boolean
  /** The words of tar for the path as it is where tar runs. */
  readonly words: (place: string) => readonly string[]
}

/**
 * tar streams. Of a running environment through its own tar, so that owners and mounts are as inside; of a stopped one
 * on the folders that its files lie in.
 */
export function createFiles(session: Session): FilesFacet {
  return {
    put: async (name, { path: target, tar }, ctx) => {
      const words = (place: string): string[] => [
        'tar',
        '--extract',
        '--file=-',
        '--preserve-permissions',
        `--directory=${place}`,
      ]
      const process = await startTar(session, { name, transfer: { target, write: true, words } }, ctx)
      process.stdout.resume()
      const errors = collectText(process.stderr)
      if (process.stdin) await feed(tar, process.stdin, ctx.signal)
      await assertDone(process, target, errors)
    },
    async *get(name, given, ctx) {
      const target = path.posix.normalize(given).replace(/(.)\/$/, '$1')
      const words = (place: string): string[] => [
        'tar',
        '--create',
        '--file=-',
        `--directory=${path.posix.dirname(place)}`,
        ...renamed(path.posix.basename(place), path.posix.basename(target)),
        '--',
        path.posix.basename(place),
      ]
      const process = await startTar(session, { name, transfer: { target, write: false, words } }, ctx)
      const errors = collectText(process.stderr)
      const held: Uint8Array[] = []
      let sent = false
      for await (const chunk of process.stdout as AsyncIterable<Uint8Array>) {
        // A tar of nothing is written too, before the error is known.
        sent ||= !isEmptyTar(chunk)
        if (sent) yield chunk
        else held.push(chunk)
      }
      await assertDone(process, target, errors)
      yield* held
    },
  }
}

/** The folder of a volume has a name of its own on this machine; in the archive it has the one it has inside. */
function renamed(from: string, to: string): string[] {
  if (from === to || to === '') return []
  const pattern = from.replaceAll(/[.*[\]^$\\|]/g, String.raw`\$&`)
  const target = to.replaceAll(/[&\\|]/g, String.raw`\$&`)
  return [`--transform=flags=rh;s|^${pattern}|${target}|`]
}

async function startTar(
  session: Session,
  { name, transfer }: { readonly name: string; readonly transfer: Transfer },
  ctx: ProviderContext,
): Promise<Process> {
  const { target, write, words } = transfer
  const record = await session.require(name)
  const stdin = write ? 'pipe' : 'ignore'
  if (isRunning(record) && record.paused === undefined) {
    return session.exec(record, { argv: words(target), user: adminOf(record), stdin, cwd: '/' }, ctx)
  }
  const { prefix, place } = outsidePath(session, record, target)
  return ctx.runner.spawn([...prefix, ...words(place)], {
    cwd: session.folder(name),
    env: session.toolEnv,
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

function isEmptyTar(chunk: Uint8Array): boolean {
  return chunk.every((byte) => byte === 0)
}

/** Who may write everything inside: root where there is one. */
function adminOf(record: SandboxRecord): string {
  return record.base.kind === 'host' ? `${record.caller.uid}:${record.caller.gid}` : '0:0'
}

async function collectText(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array))
  return Buffer.concat(chunks).toString('utf8')
}

async function assertDone(process: Process, target: string, errors: Promise<string>): Promise<void> {
  const { code } = await process.exited
  const text = (await errors).trim().split('\n')[0] ?? ''
  if (code === 0) return
  const missing = /No such file|Cannot open|Cannot stat|Not a directory/.test(text)
  throw new HolmError(
    missing ? 'HOLM_USAGE' : 'HOLM_COMMAND_FAILED',
    `cannot copy ${target}: ${text || `tar ended with ${code}`}`,
    {
      hint: missing ? 'Name a file or folder that exists inside.' : 'Look at the message of tar.',
    },
  )
}

interface OutsidePath {
  /** Words that make the layers one tree, seen by what follows alone. */
  readonly prefix: readonly string[]
  readonly place: string
}

/** Where a path of a stopped environment is on this machine. HOLM_USAGE for what is not there. */
function outsidePath(session: Session, record: SandboxRecord, target: string): OutsidePath {
  const folder = session.folder(record.name)
  const roots = rootsOf(record, { folder, volumes: session.layout.volumes }).filter(
    ({ at }) => !path.posix.relative(at, target).startsWith('..'),
  )
  const root = roots.toSorted((one, other) => other.at.length - one.at.length)[0]
  const found = root && resolveInside(root.layers, path.posix.relative(root.at, target))
  if (root === undefined || !found?.exists) {
    throw new HolmError(
      'HOLM_USAGE',
      `${target} does not exist in environment ${record.name}, or only while it runs`,
      {
        hint: 'Name a file or folder that exists, or start the environment.',
      },
    )
  }
  const [top = ''] = root.layers
  return root.layers.length === 1
    ? { prefix: [], place: path.join(top, found.inner) }
    : { prefix: overlayPrefix(record), place: path.join(folder, 'root', found.inner) }
}

/** Places that keep their files while nothing runs, with the folders that hold them. */
function rootsOf(
  record: SandboxRecord,
  paths: { readonly folder: string; readonly volumes: string },
): { at: string; layers: readonly string[] }[] {
  const mounted = record.mounts.flatMap((mount, index) => {
    if (mount.type === 'tmpfs') return []
    return [
      {
        at: mount.target,
        layers: [mount.type === 'bind' ? mount.source : volumeSource(mount.source, index, paths)],
      },
    ]
  })
  const own =
    record.base.kind === 'host'
      ? { at: record.caller.home, layers: [path.join(paths.folder, 'home')] }
      : { at: '/', layers: layersOf(record, paths.folder) }
  return [...mounted, own]
}

/** Words that mount the layers at `root` of the environment's folder, for what follows alone. */
export function overlayPrefix(record: SandboxRecord): string[] {
  const outer =
    record.caller.uid !== 0 ? ['unshare', '--user', '--map-root-user', '--mount'] : ['unshare', '--mount']
  return [
    ...outer,
    'sh',
    '-c',
    'mount -t overlay -o "$1" overlay root && shift && exec "$@"',
    'holm-layers',
    overlayOptions(record),
  ]
}
