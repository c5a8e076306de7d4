import { syntaxError } from './syntax-error.ts'
import type { DocumentTree } from './parse-document.ts'
import type { DocumentPath } from './plain-value.ts'
import type { Position } from './syntax-error.ts'

interface TomlLine {
  readonly path: DocumentPath
  readonly position: Position
  readonly value: string
}

/** TOML 1.0. Its parser keeps no places, so keys are found again by a scan of the lines. */
export async function parseToml(text: string, source: string): Promise<DocumentTree> {
  const { parse, TomlError } = await import('smol-toml')
  const lines = scanLines(text)
  const at = (path: DocumentPath) => lines.find((line) => samePath(line.path, path))
  try {
    return {
      value: parse(text),
      find: (path) => (path.length === 0 ? { line: 1, column: 1 } : at(path)?.position),
      spelling: (path) => at(path)?.value.match(/^[+-]?\d[\d.]*(?=\s*(?:#|$))/)?.[0],
    }
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const reason = error.message.split('\n')[0]?.replace('Invalid TOML document: ', '') ?? 'invalid TOML'
    throw syntaxError({
      source,
      text,
      reason,
      position: { line: error.line, column: error.column },
      cause: error,
    })
  }
}

/** Every `key =` and `[table]` line with the full path it stands for; lists of tables count their entries. */
function scanLines(text: string): TomlLine[] {
  const lines: TomlLine[] = []
  const counts = new Map<string, number>()
  let table: DocumentPath = []
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const column = raw.length - raw.trimStart().length + 1
    const position = { line: index + 1, column }
    const header = /^\s*(\[{1,2})([^\]]+)\]{1,2}/.exec(raw)
    if (header !== null) {
      table = headerPath(splitKey(header[2] ?? ''), header[1] === '[[', counts)
      lines.push({ path: table, position, value: '' })
      continue
    }
    const pair = /^\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=\s*(.*)$/.exec(
      raw,
    )
    if (pair !== null)
      lines.push({ path: [...table, ...splitKey(pair[1] ?? '')], position, value: pair[2] ?? '' })
  }
  return lines
}

function headerPath(keys: readonly string[], list: boolean, counts: Map<string, number>): DocumentPath {
  const path: (string | number)[] = []
  for (const [index, key] of keys.entries()) {
    path.push(key)
    const name = path.join('\u0000')
    const count = counts.get(name)
    const last = index === keys.length - 1
    if (last && list) {
      counts.set(name, (count ?? -1) + 1)
      path.push((count ?? -1) + 1)
    } else if (count !== undefined) path.push(count)
  }
  return path
}

function splitKey(key: string): string[] {
  return [...key.matchAll(/"([^"]*)"|'([^']*)'|([\w-]+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? '',
  )
}

function samePath(left: DocumentPath, right: DocumentPath): boolean {
  return left.length === right.length && left.every((part, index) => part === right[index])
}
