import { HolmError } from '../../errors.ts'
import { findNotPlain, formatPath } from './plain-value.ts'
import { syntaxError } from './syntax-error.ts'
import type { DocumentPath } from './plain-value.ts'
import type { Position } from './syntax-error.ts'

/** A text as data, with the way back to its lines. */
export interface ParsedDocument {
  /** Strings, finite numbers, booleans, null, lists and plain objects only. */
  readonly value: unknown
  /** Where a value (or its key) stands; the nearest surrounding place when it stands nowhere itself. */
  locate(path: DocumentPath, part?: 'key' | 'value'): Position | undefined
  /** How a number is spelt in the text: `3.10` is the number 3.1 and the version "3.10". */
  spelling(path: DocumentPath): string | undefined
}

/** What a parser of one syntax gives; `parseDocument` adds what is common to all. */
export interface DocumentTree {
  readonly value: unknown
  find(path: DocumentPath, part: 'key' | 'value'): Position | undefined
  spelling(path: DocumentPath): string | undefined
}

export type DocumentSyntax = 'yaml' | 'json' | 'toml'

const mostCharacters = 1024 * 1024

/** By the file's ending; everything that is neither JSON nor TOML is read as YAML. */
export function syntaxOf(source: string): DocumentSyntax {
  if (/\.jsonc?$/i.test(source)) return 'json'
  return /\.toml$/i.test(source) ? 'toml' : 'yaml'
}

/**
 * Parses YAML 1.2, JSON (comments and trailing commas are fine) or TOML. `source` is the name for messages and chooses the
 * syntax unless `syntax` does. Throws HOLM_BLUEPRINT_SYNTAX with file, line and column.
 */
export async function parseDocument(
  text: string,
  source: string,
  syntax: DocumentSyntax = syntaxOf(source),
): Promise<ParsedDocument> {
  const clean = text.startsWith('\uFEFF') ? text.slice(1) : text
  if (clean.length > mostCharacters) {
    throw new HolmError('HOLM_BLUEPRINT_SYNTAX', `${source}: the file is larger than 1 MiB`, {
      hint: 'Point holm at a blueprint.',
      details: { source },
    })
  }
  const tree = await parseTree(clean, source, syntax)
  const problem = findNotPlain(tree.value)
  if (problem !== undefined) {
    const position = locate(tree, problem.path, 'value')
    throw syntaxError({
      source,
      text: clean,
      reason: `${formatPath(problem.path) || 'the document'} ${problem.reason}`,
      position,
    })
  }
  return {
    value: tree.value,
    locate: (path, part = 'value') => locate(tree, path, part),
    spelling: (path) => tree.spelling(path),
  }
}

function locate(tree: DocumentTree, path: DocumentPath, part: 'key' | 'value'): Position | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const position = tree.find(path.slice(0, length), part)
    if (position !== undefined) return position
  }
  return tree.find([], 'value')
}

async function parseTree(text: string, source: string, syntax: DocumentSyntax): Promise<DocumentTree> {
  try {
    if (syntax === 'json') return (await import('./parse-json.ts')).parseJson(text, source)
    if (syntax === 'toml') return await (await import('./parse-toml.ts')).parseToml(text, source)
    return await (await import('./parse-yaml.ts')).parseYaml(text, source)
  } catch (error) {
    // Parsers descend recursively: a thousand brackets exhaust the stack before any limit of ours is reached.
    if (error instanceof RangeError)
      throw syntaxError({ source, text, reason: 'the document is nested too deeply', cause: error })
    throw error
  }
}
