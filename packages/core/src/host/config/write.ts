import { copyFile, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, extname, join } from 'node:path'
import { HolmError, isHolmError } from '../../errors.ts'
import { findConfigFiles, findProjectFiles, findProjectRoot } from './files.ts'
import { assertKnownKey } from './layers.ts'
import { createFolder, unreadableError } from './folders.ts'
import type { HolmPaths } from './paths.ts'
import { findEntry } from './schema.ts'
import { checkText, parseLoose } from './value.ts'

export interface SetConfigOptions {
  readonly key: string
  /** As typed: "30s", "true", "a,b". */
  readonly value: string
  readonly scope: 'user' | 'project'
  readonly cwd: string
  readonly paths: HolmPaths
  readonly home?: string
}

export interface SetConfigResult {
  readonly path: string
  /** Copy of the file as it was; undefined for a new file. */
  readonly backup?: string
}

/**
 * Writes one value into the configuration file of a scope, keeping its comments; makes the file (user: 0600) when there is none.
 * Code and TOML are not edited: HOLM_CONFIG_INVALID with what to write by hand.
 */
export async function setConfigValue(options: SetConfigOptions): Promise<SetConfigResult> {
  const value = parseValue(options.key, options.value)
  const { path, exists } = findTarget(options)
  assertEditable(path, options)
  try {
    return await replaceFile({ path, exists, scope: options.scope, key: options.key, value })
  } catch (error) {
    throw isHolmError(error) ? error : unreadableError(path, error)
  }
}

/** Checked against the table; a time stays as it was written, which reads better than milliseconds. */
function parseValue(key: string, text: string): unknown {
  assertKnownKey(key)
  const entry = findEntry(key)
  if (!entry) return parseLoose(text)
  const checked = checkText(text, entry)
  if ('value' in checked) return entry.type === 'duration' ? text.trim() : checked.value
  throw new HolmError('HOLM_CONFIG_INVALID', `${key} ${checked.problem}`, {
    hint: `Give ${key} another value.`,
    details: { key, value: text },
  })
}

function findTarget(options: SetConfigOptions): { readonly path: string; readonly exists: boolean } {
  const { scope, cwd, paths, home = homedir() } = options
  const [path] = scope === 'user' ? findConfigFiles(paths.config, 'config') : findProjectFiles(cwd, home)
  if (path !== undefined) return { path, exists: true }
  const fresh =
    scope === 'user'
      ? join(paths.config, 'config.yaml')
      : join(findProjectRoot(cwd, home), 'holm.config.yaml')
  return { path: fresh, exists: false }
}

function assertEditable(path: string, { key, value }: SetConfigOptions): void {
  if (['.yaml', '.yml', '.json'].includes(extname(path))) return
  throw new HolmError('HOLM_CONFIG_INVALID', `${path} is not edited by holm: it would lose what you wrote`, {
    hint: `Set ${key} to ${value} in ${path}.`,
    details: { path, key },
  })
}

interface Change {
  readonly path: string
  readonly exists: boolean
  readonly scope: SetConfigOptions['scope']
  readonly key: string
  readonly value: unknown
}

async function replaceFile(change: Change): Promise<SetConfigResult> {
  if (!change.exists) {
    if (change.scope === 'user') createFolder(dirname(change.path))
    const mode = change.scope === 'user' ? 0o600 : 0o644
    await writeAtomic(change.path, { content: await editYaml('', change), mode })
    return { path: change.path }
  }
  // A link (dotfiles) stays one: its target is replaced.
  const path = await realpath(change.path)
  const before = await readFile(path, 'utf8')
  const content = await (extname(path) === '.json' ? editJson(before, change) : editYaml(before, change))
  const { mode } = await stat(path)
  const backup = `${path}.bak`
  await copyFile(path, backup)
  await writeAtomic(path, { content, mode: mode & 0o777 })
  return { path: change.path, backup }
}

async function editYaml(before: string, { path, key, value }: Change): Promise<string> {
  const { parseDocument, isMap } = await import('yaml')
  const document = parseDocument(before)
  const [error] = document.errors
  if (error) throw syntaxError(path, error)
  if (document.contents !== null && !isMap(document.contents))
    throw syntaxError(path, new Error('holds no object'))
  document.setIn(
    chooseWay(key, (way) => document.hasIn(way)),
    value,
  )
  return document.toString({ lineWidth: 0 })
}

async function editJson(before: string, { path, key, value }: Change): Promise<string> {
  const { applyEdits, findNodeAtLocation, modify, parseTree } = await import('jsonc-parser')
  const errors: { readonly offset: number }[] = []
  const tree = parseTree(before, errors as Parameters<typeof parseTree>[1], { disallowComments: true })
  if (errors.length > 0) throw syntaxError(path, new Error('not valid JSON'))
  const way = chooseWay(
    key,
    (candidate) => tree !== undefined && findNodeAtLocation(tree, candidate) !== undefined,
  )
  const formattingOptions = { insertSpaces: true, tabSize: 2, eol: '\n' }
  return applyEdits(before, modify(before, way, value, { formattingOptions }))
}

/** Keys are nested, unless the file has this one flat ("up.timeout": …). `plugin.<id>.<key>` keeps dots of its key. */
function chooseWay(key: string, has: (way: string[]) => boolean): string[] {
  return has([key]) ? [key] : key.split('.')
}

function syntaxError(path: string, cause: Error): HolmError {
  return new HolmError('HOLM_CONFIG_INVALID', `${path}: ${cause.message.split('\n', 1)[0]}`, {
    cause,
    hint: 'Correct the file first; nothing was changed.',
    details: { path },
  })
}

/** Readers see the old file or the new one, also after a power cut. */
async function writeAtomic(
  path: string,
  { content, mode }: { readonly content: string; readonly mode: number },
): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
