import { createHash } from 'node:crypto'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { HolmError } from '@holm/core'

/** Twelve hex digits over names, sizes, modes and times: a folder that changed is imported again. Contents are not read. */
export async function folderFingerprint(folder: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    await addFolder(folder, '', (line) => hash.update(line))
  } catch (cause) {
    throw new HolmError('HOLM_BASE_NOT_FOUND', `the root filesystem ${folder} cannot be read`, {
      hint: 'Correct the path of the base.',
      cause,
    })
  }
  return hash.digest('hex').slice(0, 12)
}

async function addFolder(root: string, path: string, add: (line: string) => void): Promise<void> {
  const names = (await readdir(join(root, path))).toSorted()
  const entries = await Promise.all(
    names.map(async (name) => ({ name, info: await lstat(join(root, path, name)) })),
  )
  for (const { name, info } of entries) {
    const child = `${path}/${name}`
    add(
      `${child}\0${info.mode}\0${info.isDirectory() ? 0 : info.size}\0${info.isDirectory() ? 0 : info.mtimeMs}\n`,
    )
    if (info.isDirectory()) await addFolder(root, child, add)
  }
}
