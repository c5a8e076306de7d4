import { childKeys, keyOf } from './blueprint-keys.ts'
import { describeIssues, issuesError, unknownKey } from './schema-issues.ts'
import { isRecord } from './plain-value.ts'
import type { Blueprint } from '../../blueprint.ts'
import type { DocumentIssue } from './schema-issues.ts'
import type { DocumentPath } from './plain-value.ts'
import type { ParsedDocument } from './parse-document.ts'

/** A blueprint as one file has it: `null` stands for "remove what the parents say". */
export type BlueprintLayer = Readonly<Record<string, unknown>>

/**
 * Checks a value against the native schema, reports ALL issues in one HOLM_BLUEPRINT_INVALID, and returns it with numbers
 * of `tools` and `environment` spelt as in the file. Nulls stay.
 */
export async function assertBlueprintLayer(
  value: unknown,
  source: string,
  document?: ParsedDocument,
): Promise<BlueprintLayer> {
  if (!isRecord(value)) {
    throw issuesError([{ path: [], message: 'a blueprint is a map of keys' }], source, document)
  }
  const { blueprintSchema } = await import('./native-schema.ts')
  const spelt = document === undefined ? value : keepSpelling(value, document)
  const nulls: DocumentPath[] = []
  const result = blueprintSchema.safeParse(withoutNulls(spelt, [], nulls))
  const issues: DocumentIssue[] = nulls.flatMap((path) => unknownNull(path))
  if (!result.success) issues.push(...describeIssues(result.error.issues, { value, keysUnder: childKeys }))
  if (issues.length > 0) throw issuesError(issues, source, document)
  return spelt
}

/** The same check for a value that came from code (a hook): no nulls, no lines. */
export async function assertBlueprint(value: unknown, source: string): Promise<Blueprint> {
  return withoutNulls(await assertBlueprintLayer(value, source), []) as Blueprint
}

/** Removes null entries of maps, at any depth; `found` receives their paths. Sections of providers are theirs. */
export function withoutNulls(value: unknown, path: DocumentPath, found: DocumentPath[] = []): unknown {
  if (!isRecord(value) || path[0] === 'providers' || String(path[0]).startsWith('wslConfig')) return value
  const entries = Object.entries(value).flatMap(([key, entry]) => {
    const inner = [...path, key]
    if (entry !== null) return [[key, withoutNulls(entry, inner, found)]]
    found.push(inner)
    return []
  })
  return Object.fromEntries(entries) as unknown
}

function unknownNull(path: DocumentPath): DocumentIssue[] {
  const parent = path.slice(0, -1)
  if (keyOf(path) !== undefined || keyOf(parent) === undefined) return []
  return [{ path, message: unknownKey(String(path.at(-1)), childKeys(parent)), at: 'key' }]
}

/** `python: 3.10` means the version 3.10, not the number 3.1. */
function keepSpelling(value: Record<string, unknown>, document: ParsedDocument): Record<string, unknown> {
  const services = value['services']
  return {
    ...value,
    ...spellMap(value, 'tools', { document, path: [] }),
    ...spellMap(value, 'environment', { document, path: [] }),
    ...(isRecord(services) ? { services: spellServices(services, document) } : {}),
  }
}

function spellServices(services: Record<string, unknown>, document: ParsedDocument): Record<string, unknown> {
  const entries = Object.entries(services).map(([name, service]) => {
    if (!isRecord(service)) return [name, service]
    return [name, { ...service, ...spellMap(service, 'environment', { document, path: ['services', name] }) }]
  })
  return Object.fromEntries(entries) as Record<string, unknown>
}

function spellMap(
  owner: Record<string, unknown>,
  key: string,
  place: { document: ParsedDocument; path: DocumentPath },
): Record<string, unknown> {
  const map = owner[key]
  if (!isRecord(map)) return {}
  const entries = Object.entries(map).map(([name, entry]) => [
    name,
    typeof entry === 'number' ? (place.document.spelling([...place.path, key, name]) ?? entry) : entry,
  ])
  return { [key]: Object.fromEntries(entries) }
}
