import { lstatSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import { HolmError, isHolmError } from '@holm/core'

export function isMissing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** Tells a full disk from everything else, whoever met it. */
export async function tellFullDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (isHolmError(error) || (code !== 'ENOSPC' && code !== 'EDQUOT')) throw error
    throw diskFull((error as Error).message, error)
  }
}

export function diskFull(text: string, cause?: unknown): HolmError {
  return new HolmError('HOLM_DISK_FULL', `no space is left: ${text}`, {
    hint: 'Make room on the disk, then try again.',
    ...(cause === undefined ? {} : { cause }),
  })
}

const linkLimit = 40

export interface InsidePath {
  /** Absolute path inside, without links. */
  readonly inner: string
  readonly kind: 'file' | 'directory' | undefined
}

/** Follows a path as a process inside would, over the layers of a root, the top one first: links never lead outside. */
export function resolveInside(layers: readonly string[], target: string): InsidePath {
  const rest = target.split('/').filter((part) => part !== '' && part !== '.')
  let inner = '/'
  let links = 0
  let kind: InsidePath['kind'] = 'directory'
  while (rest.length > 0) {
    const next = path.posix.join(inner, rest.shift() ?? '')
    const found = lookIn(layers, next)
    if (found?.link !== undefined && links++ < linkLimit) {
      rest.unshift(...found.link.split('/').filter((part) => part !== '' && part !== '.'))
      if (found.link.startsWith('/')) inner = '/'
      continue
    }
    inner = next
    kind = found?.kind
  }
  return { inner, kind }
}

function lookIn(
  layers: readonly string[],
  inner: string,
): { readonly link?: string; readonly kind: 'file' | 'directory' } | undefined {
  for (const layer of layers) {
    const file = path.join(layer, inner)
    const entry = lstatSync(file, { throwIfNoEntry: false })
    if (entry === undefined) continue
    // An overlay marks a removed file with a 0/0 character device.
    if (entry.isCharacterDevice() && entry.rdev === 0) return undefined
    if (entry.isSymbolicLink()) return { link: readlinkSync(file), kind: 'file' }
    return { kind: entry.isDirectory() ? 'directory' : 'file' }
  }
  return undefined
}
