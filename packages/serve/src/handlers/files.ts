import { HolmError } from '@holm/core'
import type { MethodParams, MethodResult } from '@holm/sdk'
import type { Handlers } from '../dispatch.ts'
import { missing } from '../files/errors.ts'
import { folderOf } from '../files/folder.ts'
import type { Entry } from '../files/files.ts'
import { watchFolder } from '../files/watch.ts'
import { assertRoom, type Call } from '../session.ts'

type Names = Extract<keyof Handlers, `fs.${string}`>

export const fileHandlers: Pick<Handlers, Names> = {
  async 'fs.readFile'({ environment, path, encoding = 'utf8', offset = 0, length }, call) {
    const { chunkBytes } = call.session.limits
    const { files } = await folderOf(call, environment)
    const most = Math.min(length ?? chunkBytes, chunkBytes)
    const { bytes, size } = await files.read(path, { offset, length: most })
    const end = offset + bytes.length >= size
    return { data: bytes.toString(encoding), encoding, bytes: bytes.length, size, end }
  },
  async 'fs.writeFile'({ environment, path, data, encoding = 'utf8', mode = 'replace' }, call) {
    const { files } = await folderOf(call, environment, { writes: true })
    return files.write(path, { bytes: decode(data, encoding), mode })
  },
  async 'fs.exists'({ environment, path }, call) {
    const { files } = await folderOf(call, environment)
    return { exists: (await stat(() => files.stat(path))) !== undefined }
  },
  async 'fs.readdir'({ environment, path, after }, call) {
    const { files } = await folderOf(call, environment)
    return pageOf(await files.list(path), after, call.session.limits.messageBytes)
  },
  async 'fs.mkdir'({ environment, path, recursive = false }, call) {
    const { files } = await folderOf(call, environment, { writes: true })
    return { created: await files.makeFolder(path, { recursive }) }
  },
  async 'fs.rm'({ environment, path, recursive = false, force = false }, call) {
    const { files } = await folderOf(call, environment, { writes: true })
    const existed = await files.remove(path, { recursive })
    if (!existed && !force) throw missing(path)
    return { existed }
  },
  async 'fs.stat'({ environment, path }, call) {
    const { files } = await folderOf(call, environment)
    const found = await files.stat(path)
    if (found === undefined) throw missing(path)
    return found
  },
  'fs.watch': watch,
}

/** Node takes what is not base64 for less of it, silently. */
function decode(data: string, encoding: 'utf8' | 'base64'): Buffer {
  if (encoding === 'base64' && !/^[A-Za-z0-9+/]*={0,2}$/.test(data))
    throw new HolmError('HOLM_USAGE', 'data is no base64')
  return Buffer.from(data, encoding)
}

/** A path through a file, or through nothing, exists as little as one that ends in nothing. */
async function stat<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work()
  } catch (error) {
    const { code, cause } = error as { readonly code?: string; readonly cause?: { readonly code?: string } }
    if (code === 'HOLM_FILE_NOT_FOUND' || cause?.code === 'ENOTDIR') return undefined
    throw error
  }
}

/** In the order of code points, as much as fits. */
function pageOf(
  entries: readonly Entry[],
  after: string | undefined,
  messageBytes: number,
): MethodResult<'fs.readdir'> {
  const rest = entries
    .filter(({ name }) => after === undefined || name > after)
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
  let room = messageBytes / 2
  const fits = rest.findIndex(({ name }) => (room -= name.length * 6 + 40) < 0)
  return fits === -1 ? { entries: rest, end: true } : { entries: rest.slice(0, fits), end: false }
}

async function watch(
  { environment, path, recursive = false, ignore = ['.git', 'node_modules'] }: MethodParams<'fs.watch'>,
  call: Call,
): Promise<MethodResult<'fs.watch'>> {
  const { session } = call
  assertRoom('subscriptions', session.subscriptions, session.limits.subscriptionsAtOnce)
  const { root } = await folderOf(call, environment)
  if (root === undefined)
    throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `the files of ${environment} are not on this machine`, {
      hint: 'Mount the project, or look at them again with fs.stat.',
    })
  const subscription = session.newId()
  let ready = false
  const watching = await watchFolder(root, { path, recursive, ignore: new Set(ignore) }, async (change) => {
    if (!ready) return
    await session.calm()
    session.notify('fs.changed', { subscription, ...change })
  })
  session.subscriptions.set(subscription, watching.close)
  if (session.signal.aborted) watching.close()
  call.afterwards(() => void (ready = true))
  return { subscription, folders: watching.folders }
}
