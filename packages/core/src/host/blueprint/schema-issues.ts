import { HolmError } from '../../errors.ts'
import { didYouMean } from '../did-you-mean.ts'
import { formatPath } from './plain-value.ts'
import type { core } from 'zod/mini'
import type { DocumentPath } from './plain-value.ts'
import type { ParsedDocument } from './parse-document.ts'

/** One thing that is wrong with a document. */
export interface DocumentIssue {
  readonly path: DocumentPath
  readonly message: string
  /** Unknown keys are shown at the key, wrong values at the value. */
  readonly at?: 'key' | 'value'
}

export interface IssueContext {
  readonly value: unknown
  /** Names that may stand under a path, for "did you mean". */
  readonly keysUnder: (path: DocumentPath) => readonly string[]
}

type Issue = core.$ZodIssue

/** The schema library's issues in our words. */
export function describeIssues(issues: readonly Issue[], context: IssueContext): DocumentIssue[] {
  return issues.flatMap((issue) => describeIssue(issue, [], context))
}

function describeIssue(issue: Issue, prefix: DocumentPath, context: IssueContext): DocumentIssue[] {
  const path = [...prefix, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: unknownKey(key, context.keysUnder(path)),
      at: 'key',
    }))
  }
  if (issue.code === 'invalid_union') {
    const branch = nearestBranch(issue.errors)
    if (branch !== undefined) return branch.flatMap((inner) => describeIssue(inner, path, context))
    const types = issue.errors.flatMap((errors) => errors.map(expectedOf))
    return [
      { path, message: `expected ${[...new Set(types)].join(' or ')}, got ${describe(path, context.value)}` },
    ]
  }
  if (issue.code === 'invalid_key') return [{ path, message: 'is no usable name', at: 'key' }]
  return [{ path, message: describeValue(issue, describe(path, context.value)) }]
}

/** "unknown key, did you mean …?" */
export function unknownKey(key: string, known: readonly string[]): string {
  return `unknown key${didYouMean(key, known)}`
}

/** Of the branches of a union, the one the value was meant for: its own type is right, something inside is wrong. */
function nearestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const meant = branches.filter(
    (issues) =>
      !issues.some((issue) => issue.path.length === 0 && /^invalid_(?:type|value)$/.test(issue.code)),
  )
  // A branch that misses its marker key ("image", "rootfs") was not meant; one that has it has fewer issues.
  return meant.toSorted((left, right) => weigh(left) - weigh(right))[0]
}

function weigh(issues: readonly Issue[]): number {
  return issues.reduce(
    (sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 1.5),
    0,
  )
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
}

function expectedOf(issue: Issue): string {
  if (issue.code === 'invalid_type') return typeNames[issue.expected] ?? issue.expected
  if (issue.code === 'invalid_value') return issue.values.map((value) => JSON.stringify(value)).join(' or ')
  return 'another value'
}

function describeValue(issue: Issue, got: string): string {
  switch (issue.code) {
    case 'invalid_type':
      return got === 'nothing'
        ? `is missing: expected ${expectedOf(issue)}`
        : `expected ${expectedOf(issue)}, got ${got}`
    case 'invalid_value':
      return `expected ${expectedOf(issue)}, got ${got}`
    case 'too_small':
      return issue.origin === 'string' || issue.origin === 'array'
        ? 'must not be empty'
        : `${got} is less than ${issue.minimum}`
    case 'too_big':
      return `${got} is more than ${issue.maximum}`
    case 'custom':
      return issue.message
    default:
      return `${got} has the wrong form`
  }
}

/** Values of these keys may be secrets: messages name their type only. */
const confidential = /^(?:environment|secrets|containerEnv|remoteEnv)$/

function describe(path: DocumentPath, root: unknown): string {
  let value: unknown = root
  for (const part of path) {
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, part)
        ? (value as Record<string | number, unknown>)[part]
        : undefined
  }
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return value === null ? 'null' : 'a map'
  if (path.some((part) => confidential.test(String(part)))) return typeNames[typeof value] ?? typeof value
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

interface PlacedIssue {
  readonly path: string
  readonly message: string
  readonly line?: number
  readonly column?: number
}

/** HOLM_BLUEPRINT_INVALID that lists every issue with its place, from top to bottom. */
export function issuesError(
  issues: readonly DocumentIssue[],
  source: string,
  document?: ParsedDocument,
): HolmError {
  const placed: PlacedIssue[] = issues.map(({ path, message, at = 'value' }) => {
    return { path: formatPath(path), message, ...document?.locate(path, at) }
  })
  placed.sort(
    (left, right) => (left.line ?? 0) - (right.line ?? 0) || (left.column ?? 0) - (right.column ?? 0),
  )
  const lines = placed.map(({ path, message, line, column }) => {
    const where = line === undefined ? source : `${source}:${line}:${column}`
    return `${where}: ${path === '' ? '' : `${path}: `}${message}`
  })
  const message =
    lines.length === 1
      ? (lines[0] ?? source)
      : `${lines.length} problems in ${source}\n  ${lines.join('\n  ')}`
  return new HolmError('HOLM_BLUEPRINT_INVALID', message, {
    hint: `Correct ${source}; every key is described in the blueprint reference.`,
    details: { source, issues: placed },
  })
}
