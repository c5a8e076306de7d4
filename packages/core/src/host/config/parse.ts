import { readFile } from 'node:fs/promises'
import { dirname, extname } from 'node:path'
import { HolmError, isHolmError } from '../../errors.ts'
import { serveContract } from '../plugins/import.ts'
import { isCode } from './files.ts'

/** Where something is in a file, counted from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

type Loader = (path: string, content: string) => Promise<unknown>

const loadYaml: Loader = async (_path, content) => {
  const { parse } = await import('yaml')
  return parse(content)
}

const loadToml: Loader = async (_path, content) => {
  const { parse } = await import('smol-toml')
  return parse(content)
}

/**
 * What a configuration file holds; an empty one is {}. Code is run. Anything wrong is HOLM_CONFIG_INVALID with the path, and line and
 * column for data. The only place that imports cosmiconfig, and it does so only for a file that exists.
 */
export async function loadConfigFile(path: string): Promise<Readonly<Record<string, unknown>>> {
  // So that a configuration may define plugins without installing @holm/core in the project.
  if (isCode(path)) serveContract(dirname(path))
  const { cosmiconfig } = await import('cosmiconfig')
  const loaders = { '.yaml': loadYaml, '.yml': loadYaml, '.toml': loadToml }
  const explorer = cosmiconfig('holm', { cache: false, loaders })
  try {
    const found = await explorer.load(path)
    // An empty file of data is no configuration; code without a default export is a mistake.
    const content = (found?.config ?? (isCode(path) ? undefined : {})) as unknown
    if (typeof content === 'object' && content !== null && !Array.isArray(content)) return { ...content }
  } catch (error) {
    throw await describeFailure(path, error)
  }
  throw new HolmError('HOLM_CONFIG_INVALID', `${path} holds no object`, {
    hint: isCode(path) ? 'Export the configuration as the default export.' : 'Write it as key: value.',
    details: { path },
  })
}

async function describeFailure(path: string, error: unknown): Promise<HolmError> {
  if (isHolmError(error)) return error
  const reason = error instanceof Error ? error.message : String(error)
  if (isUnreadable(error)) {
    return new HolmError('HOLM_CONFIG_UNREADABLE', `${path} cannot be read: ${reason}`, {
      cause: error,
      hint: `Make it readable for this user: ${path}`,
      details: { path },
    })
  }
  if (isCode(path)) {
    const message = `${path} could not be run: ${reason}`
    return new HolmError('HOLM_CONFIG_INVALID', message, {
      cause: error,
      hint: 'Correct the file.',
      details: { path },
    })
  }
  const position = findPosition(error) ?? (await locateSyntaxError(path))
  return new HolmError('HOLM_CONFIG_INVALID', `${formatPlace(path, position)}: ${firstLine(reason)}`, {
    cause: error,
    hint: `Correct the syntax of this ${extname(path).slice(1)} file.`,
    details: { path, ...position },
  })
}

function isUnreadable(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'EACCES' || code === 'EPERM' || code === 'EISDIR'
}

/** The line that says what is wrong: parsers add excerpts, cosmiconfig the path. */
function firstLine(message: string): string {
  const lines = message.split('\n').filter((line) => line.trim() !== '')
  const line = lines.find((candidate) => !/^(JSON|YAML|TOML) Error in /.test(candidate)) ?? message
  return line.replace(/ at line \d+, column \d+:?$/, '').replace(/ \(line \d+ column \d+\)$/, '')
}

/** `yaml` and `smol-toml` tell the position, each in its own way. */
function findPosition(error: unknown): Position | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  if ('linePos' in error && Array.isArray(error.linePos)) {
    const [start] = error.linePos as readonly { readonly line: number; readonly col: number }[]
    return start && { line: start.line, column: start.col }
  }
  if (!('line' in error && 'column' in error)) return undefined
  return typeof error.line === 'number' && typeof error.column === 'number'
    ? { line: error.line, column: error.column }
    : undefined
}

async function locateSyntaxError(path: string): Promise<Position | undefined> {
  const [{ parseTree }, content] = await Promise.all([import('jsonc-parser'), readFile(path, 'utf8')])
  const errors: { readonly offset: number }[] = []
  parseTree(content, errors as Parameters<typeof parseTree>[1], { disallowComments: true })
  return errors[0] && positionOf(content, errors[0].offset)
}

function positionOf(content: string, offset: number): Position {
  const before = content.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}

/** Where a key is in a YAML or JSON file (JSON is YAML); undefined in TOML, in code, and for keys that are not there. */
export async function locateKey(path: string, key: readonly string[]): Promise<Position | undefined> {
  if (isCode(path) || extname(path) === '.toml') return undefined
  const [{ parseDocument, isMap, isScalar }, content] = await Promise.all([
    import('yaml'),
    readFile(path, 'utf8'),
  ])
  let node: unknown = parseDocument(content).contents
  let found: number | undefined
  for (const word of key) {
    if (!isMap(node)) break
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === word)
    if (pair === undefined) break
    found = isScalar(pair.key) ? pair.key.range?.[0] : undefined
    node = pair.value
  }
  return found === undefined ? undefined : positionOf(content, found)
}

/** "path:line:column", as terminals and editors link it. */
export function formatPlace(path: string, position: Position | undefined): string {
  return position ? `${path}:${position.line}:${position.column}` : path
}
