import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFolder } from '../config/folders.ts'
import { readJsonRecord } from './discover.ts'

/**
 * Changes a copy of `<data>/plugins` and puts it in place when all is well: other holms see the old plugins or the new ones, and a
 * failure or a kill leaves the old ones. Call it with the lock held.
 */
export async function changePlugins<Result>(
  dataFolder: string,
  change: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = join(dataFolder, 'plugins')
  const [staging, previous] = [`${folder}.staging`, `${folder}.previous`]
  await healPrevious(folder, { staging, previous })
  try {
    await copyTo(folder, staging)
    const result = await change(staging)
    await removeUnused(staging)
    if (existsSync(folder)) await rename(folder, previous)
    await (isEmpty(staging) ? rm(staging, { recursive: true }) : rename(staging, folder))
    return result
  } catch (error) {
    if (!existsSync(folder) && existsSync(previous)) await rename(previous, folder)
    throw error
  } finally {
    await rm(staging, { recursive: true, force: true })
    await rm(previous, { recursive: true, force: true })
  }
}

/** A holm that was killed between the two renames left only the previous folder. */
async function healPrevious(
  folder: string,
  { staging, previous }: { readonly staging: string; readonly previous: string },
): Promise<void> {
  await rm(staging, { recursive: true, force: true })
  if (!existsSync(folder) && existsSync(previous)) await rename(previous, folder)
  await rm(previous, { recursive: true, force: true })
}

async function copyTo(folder: string, staging: string): Promise<void> {
  if (existsSync(folder)) await cp(folder, staging, { recursive: true, verbatimSymlinks: true })
  else createFolder(staging)
  const path = join(staging, 'package.json')
  if (existsSync(path)) return
  await writeFile(path, `${JSON.stringify({ name: 'holm-plugins', private: true }, null, 2)}\n`)
}

/** Packages that are asked for, with what npm saved for each. */
export function readDependencies(folder: string): Readonly<Record<string, string>> {
  return (readJsonRecord(join(folder, 'package.json'))['dependencies'] ?? {}) as Record<string, string>
}

export function readLinks(folder: string): Readonly<Record<string, string>> {
  return readJsonRecord(join(folder, 'links.json')) as Record<string, string>
}

export async function writeLinks(folder: string, links: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'links.json'), `${JSON.stringify(links, null, 2)}\n`)
}

/** Tarballs of packages that are no longer asked for, and npm's files when none is. */
async function removeUnused(folder: string): Promise<void> {
  const wanted = new Set(Object.values(readDependencies(folder)))
  const tarballs = join(folder, 'tarballs')
  const names = existsSync(tarballs) ? await readdir(tarballs) : []
  for (const name of names) {
    if (!wanted.has(`file:tarballs/${name}`)) await rm(join(tarballs, name), { recursive: true, force: true })
  }
  if (wanted.size > 0) return
  for (const name of ['node_modules', 'package.json', 'package-lock.json', 'tarballs']) {
    await rm(join(folder, name), { recursive: true, force: true })
  }
  if (Object.keys(readLinks(folder)).length === 0) await rm(join(folder, 'links.json'), { force: true })
}

function isEmpty(folder: string): boolean {
  return !['package.json', 'links.json'].some((name) => existsSync(join(folder, name)))
}
