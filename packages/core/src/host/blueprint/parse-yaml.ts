import { syntaxError } from './syntax-error.ts'
import type { Document, ParsedNode, YAMLError } from 'yaml'
import type { DocumentTree } from './parse-document.ts'
import type { DocumentPath } from './plain-value.ts'
import type { Position } from './syntax-error.ts'

type Yaml = typeof import('yaml')
type Offset = number | undefined

/** More aliases than any hand-written file has; a "billion laughs" file has thousands. */
const mostAliases = 200

/** YAML 1.2 with merge keys; duplicate keys, unknown tags and several documents are refused. */
export async function parseYaml(text: string, source: string): Promise<DocumentTree> {
  const yaml = await import('yaml')
  const lines = new yaml.LineCounter()
  const document = yaml.parseDocument(text, {
    merge: true,
    uniqueKeys: true,
    prettyErrors: false,
    lineCounter: lines,
  })
  const at = (offset: Offset): Position | undefined => {
    if (offset === undefined) return undefined
    const { line, col } = lines.linePos(offset)
    return line === 0 ? undefined : { line, column: col }
  }
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) {
    throw syntaxError({
      source,
      text,
      reason: describeProblem(problem),
      position: at(problem.pos[0]),
      cause: problem,
    })
  }
  return {
    value: toValue(document, text, source),
    find: (path, part) => at(offsetOf(yaml, document, { path, part })),
    spelling: (path) => {
      const node = nodeAt(yaml, document, path)
      return yaml.isScalar(node) && typeof node.value === 'number' ? node.source : undefined
    },
  }
}

function describeProblem(problem: YAMLError): string {
  const reason = problem.message.replace(/\s+/g, ' ').trim()
  return problem.code === 'DUPLICATE_KEY'
    ? 'a key stands twice in one map'
    : reason.charAt(0).toLowerCase() + reason.slice(1)
}

function toValue(document: Document.Parsed, text: string, source: string): unknown {
  try {
    return document.toJS({ maxAliasCount: mostAliases })
  } catch (error) {
    if (error instanceof RangeError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw syntaxError({
      source,
      text,
      reason: reason.charAt(0).toLowerCase() + reason.slice(1),
      cause: error,
    })
  }
}

function nodeAt(yaml: Yaml, document: Document.Parsed, path: DocumentPath): unknown {
  let node: unknown = document.contents
  for (const part of path) {
    if (yaml.isMap(node)) node = pairOf(yaml, node, part)?.value
    else if (yaml.isSeq(node)) node = node.items[Number(part)]
    else return undefined
  }
  return node
}

function pairOf(
  yaml: Yaml,
  map: { items: readonly { key: unknown; value: unknown }[] },
  key: string | number,
) {
  return map.items.find(
    (pair) => (yaml.isScalar(pair.key) ? String(pair.key.value) : pair.key) === String(key),
  )
}

function offsetOf(
  yaml: Yaml,
  document: Document.Parsed,
  place: { path: DocumentPath; part: 'key' | 'value' },
): Offset {
  const { path, part } = place
  const last = path.at(-1)
  if (part === 'key' && last !== undefined) {
    const parent = nodeAt(yaml, document, path.slice(0, -1))
    const pair = yaml.isMap(parent) ? pairOf(yaml, parent, last) : undefined
    if (pair !== undefined) return startOf(yaml, pair.key)
  }
  return startOf(yaml, nodeAt(yaml, document, path))
}

function startOf(yaml: Yaml, node: unknown): Offset {
  return yaml.isNode(node) ? (node as ParsedNode).range[0] : undefined
}
