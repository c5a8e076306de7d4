import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { HolmError } from '../../errors.ts'
import { assertSafeRootfs } from './safe-rootfs.ts'
import { lastLines } from '../provision/output.ts'
import type { Runner } from '../../process.ts'

const shells = new Set(['bin/sh', 'usr/bin/sh'])

/** What a listing of an archive says it is. Pure. */
export function classifyListing(listing: string): 'rootfs' | 'image' | 'other' {
  const names = listing.split('\n').map((name) => name.replace(/^\.?\//, ''))
  if (names.some((name) => shells.has(name))) return 'rootfs'
  return names.includes('manifest.json') || names.includes('index.json') || names.includes('oci-layout')
    ? 'image'
    : 'other'
}

function notRootfs(path: string, why: string, hint: string): HolmError {
  return new HolmError('HOLM_BASE_INVALID', `${path} is no root filesystem: ${why}`, {
    hint,
    details: { path },
  })
}

/** HOLM_BASE_INVALID unless the archive can be read and holds a shell. */
export async function assertRootfsTar(path: string, runner: Runner, signal?: AbortSignal): Promise<void> {
  const result = await runner.run(['tar', '-tf', path], signal ? { signal } : {})
  if (result.code !== 0)
    throw notRootfs(
      path,
      `tar cannot read it (${lastLines(result, 1)})`,
      'Give a complete tar archive (.tar, .tar.gz, .tar.xz or .tar.zst).',
    )
  const kind = classifyListing(result.stdout)
  if (kind === 'rootfs') return assertSafeRootfs(path, runner)
  if (kind === 'image')
    throw notRootfs(
      path,
      'it is an image archive',
      'Load it into the runtime and name the image, or export a container of it as a tar.',
    )
  throw notRootfs(
    path,
    'it has neither bin/sh nor usr/bin/sh',
    'Give a tar of the whole root folder, with bin/ and etc/ at its top.',
  )
}

/** HOLM_BASE_INVALID unless the folder holds a shell (a link may lead to where only the inside can follow). */
export async function assertRootfsFolder(path: string): Promise<void> {
  const found = await Promise.all([...shells].map((shell) => lstat(join(path, shell)).catch(() => undefined)))
  if (found.some((shell) => shell !== undefined)) return
  throw notRootfs(
    path,
    'it has neither bin/sh nor usr/bin/sh',
    'Give the folder that has bin/ and etc/ in it.',
  )
}
