import { findNodeAtLocation, parseTree, printParseErrorCode } from 'jsonc-parser'
import { positionAt, syntaxError } from './syntax-error.ts'
import type { Node, ParseError } from 'jsonc-parser'
import type { DocumentTree } from './parse-document.ts'
import type { DocumentPath } from './plain-value.ts'

/** JSON as people write it: comments and trailing commas are fine, duplicate keys are not. */
export function parseJson(text: string, source: string): DocumentTree {
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { allowTrailingComma: true, disallowComments: false })
  const [problem] = errors
  if (problem !== undefined || root === undefined) {
    const offset = problem?.offset ?? 0
    const reason =
      problem === undefined ? 'the file is empty' : describeError(printParseErrorCode(problem.error))
    throw syntaxError({ source, text, reason, position: positionAt(text, offset) })
  }
  return {
    value: toValue(root, text, source),
    find: (path, part) => {
      const node = nodeAt(root, path)
      if (node === undefined) return undefined
      const key = part === 'key' && node.parent?.type === 'property' ? node.parent : node
      return positionAt(text, key.offset)
    },
    spelling: (path) => {
      const node = nodeAt(root, path)
      return node?.type === 'number' ? text.slice(node.offset, node.offset + node.length) : undefined
    },
  }
}

function nodeAt(root: Node, path: DocumentPath): Node | undefined {
  return path.length === 0 ? root : findNodeAtLocation(root, [...path])
}

/** "CommaExpected" -> "comma expected". */
function describeError(code: string): string {
  return code
    .replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .replace(/^./, (letter) => letter.toLowerCase())
}

function toValue(node: Node, text: string, source: string): unknown {
  if (node.type === 'array') return (node.children ?? []).map((child) => toValue(child, text, source))
  if (node.type !== 'object') return node.value as unknown
  const entries = new Map<string, unknown>()
  for (const property of node.children ?? []) {
    const [key, value] = property.children ?? []
    if (key === undefined || value === undefined) continue
    const name = String(key.value)
    if (entries.has(name)) {
      throw syntaxError({
        source,
        text,
        reason: `the key ${JSON.stringify(name)} stands twice in one map`,
        position: positionAt(text, key.offset),
      })
    }
    entries.set(name, toValue(value, text, source))
  }
  return Object.fromEntries(entries)
}
