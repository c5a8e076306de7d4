import { mkdir, mkdtemp, readFile, readdir, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { Runner } from '@holm/core'
import type { SnapshotMount } from './api.ts'

export interface MountRequest {
  readonly mounts: readonly SnapshotMount[]
  /** Folder that gets the mount; a file in it tells a later holm that it may be left over. */
  readonly below: string
  readonly runner: Runner
}

/** Gives `work` a folder with the files of a snapshot, and takes it away again. */
export async function withMounted<T>(request: MountRequest, work: (root: string) => Promise<T>): Promise<T> {
  const root = await mountSnapshot(request)
  try {
    return await work(root)
  } finally {
    await unmount(root, request.runner)
  }
}

export async function mountSnapshot({ mounts, below, runner }: MountRequest): Promise<string> {
  await mkdir(below, { recursive: true })
  const root = await mkdtemp(path.join(below, 'm-'))
  try {
    for (const mount of mounts) await mountOne(mount, root, runner)
    return root
  } catch (error) {
    await unmount(root, runner)
    throw error
  }
}

async function mountOne(
  { type, source, options }: SnapshotMount,
  root: string,
  runner: Runner,
): Promise<void> {
  const isBind = type === 'bind' || options.some((option) => option === 'bind' || option === 'rbind')
  const words = isBind
    ? ['-o', options.join(',') || 'bind']
    : ['-t', type, ...(options.length > 0 ? ['-o', options.join(',')] : [])]
  const { code, stderr } = await runner.run(['mount', ...words, '--', source, root], { timeoutMs: 30_000 })
  if (code === 0) return
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `its files could not be mounted: ${stderr.trim()}`, {
    hint: 'Run holm as root on the machine that containerd runs on.',
  })
}

export async function unmount(root: string, runner: Runner): Promise<void> {
  // Lazy: whoever still reads goes on, and the name is free at once. With it goes what is mounted inside.
  await runner.run(['umount', '--recursive', '--lazy', '--', root], { timeoutMs: 30_000 })
  await rmdir(root).catch(() => {})
}

/** Mounts that a killed holm left below a folder. Called with nobody at work there. */
export async function unmountLeftovers(below: string, runner: Runner): Promise<void> {
  const left = await readdir(below).catch(() => [])
  for (const name of left) await unmount(path.join(below, name), runner)
}

/** Pure: mount points below a folder, from /proc/self/mountinfo, which writes spaces and the like in octal. */
export function mountsBelow(mountinfo: string, folder: string): readonly string[] {
  const points = mountinfo.split('\n').map((line) => line.split(' ')[4] ?? '')
  return points
    .map((point) => Buffer.from(point.replaceAll(/\\(\d{3})/g, unescaped), 'latin1').toString('utf8'))
    .filter((point) => point.startsWith(`${folder}/`))
}

function unescaped(_all: string, octal: string): string {
  return String.fromCharCode(Number.parseInt(octal, 8))
}

/** Before a folder is removed with all that is in it: a mount left there would be emptied, a volume or a project included. */
export async function assertUnmounted(folder: string): Promise<void> {
  const left = mountsBelow(await readFile('/proc/self/mountinfo', 'latin1'), folder)
  if (left.length === 0) return
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `${left[0]} is still mounted`, {
    hint: 'End the program that uses it, run `umount` on it, and try again.',
    details: { mounts: left },
  })
}
