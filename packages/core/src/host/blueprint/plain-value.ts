/** Path of keys and indexes from the root of a document. */
export type DocumentPath = readonly (string | number)[]

export interface PlainProblem {
  readonly path: DocumentPath
  readonly reason: string
}

const deepest = 64
const mostNodes = 100_000

/**
 * First thing in `value` that JSON could not carry: dates, infinite numbers, big integers, `__proto__`, circles, or more
 * than any blueprint needs. Undefined: the value is plain.
 */
export function findNotPlain(value: unknown): PlainProblem | undefined {
  const budget = { nodes: mostNodes }
  return visit(value, [], budget)
}

function visit(value: unknown, path: DocumentPath, budget: { nodes: number }): PlainProblem | undefined {
  budget.nodes -= 1
  if (budget.nodes < 0) return { path: [], reason: `has more than ${mostNodes} values` }
  if (path.length > deepest) return { path, reason: `is nested deeper than ${deepest} levels` }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined
  if (typeof value === 'number')
    return Number.isFinite(value) ? undefined : { path, reason: `is ${value}, no finite number` }
  if (typeof value !== 'object') return { path, reason: `is a ${typeof value}` }
  if (Array.isArray(value)) return firstProblem(value.entries(), path, budget)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null)
    return { path, reason: 'is a date or another special value' }
  return firstProblem(Object.entries(value), path, budget)
}

function firstProblem(
  entries: Iterable<[string | number, unknown]>,
  path: DocumentPath,
  budget: { nodes: number },
): PlainProblem | undefined {
  for (const [key, entry] of entries) {
    const inner = [...path, key]
    if (key === '__proto__') return { path: inner, reason: 'is a key that cannot be used' }
    const problem = visit(entry, inner, budget)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** True for an object literal: no list, no null. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `services.web.ports[0]`, for messages. */
export function formatPath(path: DocumentPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    const plain = /^[\w$.-]+$/.test(part) ? part : JSON.stringify(part)
    return text === '' ? plain : `${text}.${plain}`
  }, '')
}
