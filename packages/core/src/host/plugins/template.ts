import { existsSync } from 'node:fs'
import { cp, readFile, readdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { HolmError } from '../../errors.ts'

export interface CreatePluginOptions {
  /** Absolute; made when missing, empty otherwise. */
  readonly folder: string
  /** Name of the npm package. */
  readonly name: string
}

// The words of the template that are replaced; its own test reads them, so that they cannot drift apart.
const template = { folder: join('templates', 'plugin-minimal'), name: 'holm-plugin-minimal', id: 'hello' }

const packageName = /^(@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*$/

/** Writes a plugin that works, with its test, made from examples/plugin-minimal. Returns the files by their relative paths. */
export async function createPlugin(
  options: CreatePluginOptions,
): Promise<{ readonly folder: string; readonly files: readonly string[] }> {
  const { folder, name } = options
  const id = resolveId(name)
  await assertEmpty(folder)
  await cp(findTemplate(), folder, { recursive: true })
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  await Promise.all(paths.map((path) => rename(path, { name, id })))
  return { folder, files: paths.map((path) => path.slice(folder.length + 1)).toSorted() }
}

async function rename(
  path: string,
  { name, id }: { readonly name: string; readonly id: string },
): Promise<void> {
  const content = await readFile(path, 'utf8')
  const method = id.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
  const renamed = content
    .replaceAll(template.name, name)
    .replaceAll(new RegExp(`\\b${template.id}(?=[A-Z])`, 'g'), method)
    .replaceAll(new RegExp(`\\b${template.id}\\b`, 'g'), id)
  await writeFile(path, renamed)
}

/** The id is the name without scope and "holm-plugin-": @acme/holm-plugin-time is "time". */
function resolveId(name: string): string {
  const id = name
    .replace(/^@[^/]*\//, '')
    .replace(/^holm-(plugin-)?/, '')
    .replaceAll(/[._]/g, '-')
  if (packageName.test(name) && /^[a-z][a-z0-9-]{0,39}$/.test(id)) return id
  throw new HolmError('HOLM_NAME_INVALID', `"${name}" is no name for a plugin`, {
    hint: 'Use lower-case letters, digits and hyphens, such as my-plugin or @acme/holm-plugin-time.',
    details: { name },
  })
}

async function assertEmpty(folder: string): Promise<void> {
  const names = existsSync(folder) ? await readdir(folder) : []
  if (names.length === 0) return
  throw new HolmError('HOLM_USAGE', `${folder} is not empty`, {
    hint: 'Name a folder that does not exist yet.',
    details: { folder },
  })
}

/** Beside the sources in a checkout, beside dist in the package, in the package itself when the host is bundled elsewhere. */
function findTemplate(): string {
  const starts = [import.meta.dirname, ...findPackage()]
  for (const start of starts) {
    for (let folder = start; folder !== dirname(folder); folder = dirname(folder)) {
      const candidate = join(folder, template.folder)
      if (existsSync(join(candidate, 'package.json'))) return candidate
    }
  }
  throw new HolmError('HOLM_BUG', `the template ${template.folder} is missing`, {
    hint: 'Install holm again.',
  })
}

function findPackage(): readonly string[] {
  try {
    return [dirname(createRequire(import.meta.url).resolve('@holm/core/package.json'))]
  } catch {
    return []
  }
}
