import { existsSync } from 'node:fs'
import { dirname, extname, isAbsolute, join, relative, sep } from 'node:path'

const dataFormats = ['.json', '.yaml', '.yml', '.toml']
const codeFormats = ['.ts', '.js', '.mjs']
const formats = [...codeFormats, ...dataFormats]

export type ConfigScope = 'system' | 'user' | 'project'

export interface ConfigFile {
  readonly scope: ConfigScope
  readonly path: string
}

/** Is it a program rather than data? */
export function isCode(path: string): boolean {
  return codeFormats.includes(extname(path))
}

/** Files `<base>.<format>` of a folder. More than one is for the caller to refuse: none of them wins quietly. */
export function findConfigFiles(folder: string, base: string): string[] {
  return formats.map((format) => join(folder, base + format)).filter((path) => existsSync(path))
}

/** Files holm.config.* of the nearest folder that has one, from `cwd` up to the project's root. */
export function findProjectFiles(cwd: string, home: string): string[] {
  const root = findProjectRoot(cwd, home)
  for (let folder = cwd; ; folder = dirname(folder)) {
    const found = findConfigFiles(folder, 'holm.config')
    if (found.length > 0 || folder === root || folder === dirname(folder)) return found
  }
}

/**
 * The git root; without one the uppermost folder below the home folder; elsewhere `cwd` itself: a configuration may be code, and
 * that of a shared folder such as /tmp must not run for everything below it.
 */
export function findProjectRoot(cwd: string, home: string): string {
  for (let folder = cwd; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, '.git'))) return folder
  }
  const way = relative(home, cwd)
  const [first = ''] = way.split(sep)
  return first === '' || first === '..' || isAbsolute(way) ? cwd : join(home, first)
}
