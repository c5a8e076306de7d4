import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const ignored = new Set(['node_modules', 'dist', 'test', '.git', '.tools', '.cache'])

/**
 * Remembers the inputs with which a step last succeeded. A step that was interrupted has no stamp and runs again.
 * @param {string} file
 */
export function createStamps(file) {
  /** @returns {Record<string, string>} */
  const load = () => {
    try {
      return JSON.parse(readFileSync(file, 'utf8'))
    } catch {
      return {}
    }
  }
  /** @param {string} name @param {string | undefined} value */
  const save = (name, value) => {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(`${file}.new`, `${JSON.stringify({ ...load(), [name]: value }, null, 2)}\n`)
    renameSync(`${file}.new`, file)
  }
  return {
    /** @param {string} name @param {string} value */
    matches: (name, value) => load()[name] === value,
    save,
    /** Called before a step starts changing things. @param {string} name */
    clear: (name) => save(name, undefined),
  }
}

/**
 * One hash over names and contents.
 * @param {string} root
 * @param {readonly string[]} files
 */
export function hashFiles(root, files) {
  const hash = createHash('sha256')
  for (const file of files.toSorted())
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0')
  return hash.digest('hex')
}

/**
 * Every file below a folder that a predicate accepts.
 * @param {string} folder
 * @param {(path: string) => boolean} accept
 * @returns {string[]}
 */
export function findFiles(folder, accept) {
  /** @type {string[]} */
  const found = []
  for (const entry of readEntries(folder)) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && !ignored.has(entry.name)) found.push(...findFiles(path, accept))
    else if (entry.isFile() && accept(path)) found.push(path)
  }
  return found
}

/** @param {string} folder */
function readEntries(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}
