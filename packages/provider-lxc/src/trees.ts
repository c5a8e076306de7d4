import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { isMissing } from './files-on-disk.ts'
import { asInnerRoot, type IdMap } from './id-map.ts'
import { makerLives, makerTag } from './maker.ts'
import { readText } from './processes.ts'
import { runTool, toolError } from './tools.ts'

/** For tar: what users set, and the rights of programs; the rest is this machine's own. */
export const xattrWords: readonly string[] = [
  '--xattrs',
  '--xattrs-include=user.*',
  '--xattrs-include=security.capability',
]

export interface TreeOptions {
  readonly idMap: IdMap | undefined
  /** Variables of this machine's tools. */
  readonly env: Readonly<Record<string, string>>
}

/** Removes a tree; never what somebody mounted into it. Goes on after an abort: half a removal helps nobody. */
export async function removeTree(folder: string, options: TreeOptions, ctx: ProviderContext): Promise<void> {
  await detachMounts(folder, options, ctx)
  try {
    await rm(folder, { recursive: true, force: true })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (options.idMap === undefined || (code !== 'EACCES' && code !== 'EPERM')) throw error
    // Files of other users inside, and folders that nobody may look into.
    const argv = [...asInnerRoot(options.idMap), 'rm', '--recursive', '--force', '--', folder]
    const result = await ctx.runner.run(argv, { env: options.env, timeoutMs: 600_000 })
    if (result.code !== 0) throw toolError(`remove ${folder}`, result.stderr)
  }
}

async function detachMounts(folder: string, options: TreeOptions, ctx: ProviderContext): Promise<void> {
  for (const target of mountsBelow(folder, readText('/proc/self/mountinfo')).toReversed()) {
    const { code, stderr } = await ctx.runner.run(['umount', '--lazy', '--', target], { env: options.env })
    if (code === 0) continue
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `${target} is a mount of this machine: ${stderr.trim()}`, {
      hint: `Run \`umount ${target}\`, then try again.`,
    })
  }
}

/** Mount points at or below a folder, in the order they were made. */
export function mountsBelow(folder: string, mountinfo: string): string[] {
  return mountinfo
    .split('\n')
    .map((line) => unescapeMount(line.split(' ')[4] ?? ''))
    .filter((target) => target === folder || target.startsWith(`${folder}/`))
}

function unescapeMount(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
}

/** Takes a folder out of sight in one step, then removes it. */
export async function discardTree(
  folder: string,
  options: TreeOptions & { readonly trash: string },
  ctx: ProviderContext,
): Promise<void> {
  await detachMounts(folder, options, ctx)
  await mkdir(options.trash, { recursive: true, mode: 0o700 })
  const away = path.join(options.trash, `gone-${makerTag()}-${path.basename(folder)}`)
  try {
    await rename(folder, away)
  } catch (error) {
    if (isMissing(error)) return
    throw error
  }
  await removeTree(away, options, ctx)
}

/** What killed processes left in the trash. Entries of those that live are theirs. */
export async function sweepTrash(
  options: TreeOptions & { readonly trash: string },
  ctx: ProviderContext,
): Promise<void> {
  const names = await readdir(options.trash).catch((error: unknown): string[] => {
    if (isMissing(error)) return []
    throw error
  })
  for (const name of names)
    if (!makerLives(name)) await removeTree(path.join(options.trash, name), options, ctx)
}

/** Copies with all attributes, sharing blocks where the storage can. */
export async function copyTree(
  { source, target }: { readonly source: string; readonly target: string },
  options: TreeOptions,
  ctx: ProviderContext,
): Promise<void> {
  const words = ['cp', '--archive', '--reflink=auto', '--no-target-directory', '--', source, target]
  await runTool([...asInnerRoot(options.idMap), ...words], { env: options.env, what: `copy ${source}` }, ctx)
}
