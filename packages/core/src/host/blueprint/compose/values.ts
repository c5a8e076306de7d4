import { HolmError } from '../../../errors.ts'
import { isRecord } from '../plain-value.ts'

/** A value of a Compose file with its place, for messages. */
export interface Field {
  readonly value: unknown
  readonly path: string
}

export function invalid({ path, value }: Field, expected: string): HolmError {
  return new HolmError(
    'HOLM_BLUEPRINT_INVALID',
    `${path} of the Compose file is ${JSON.stringify(value)}, which is not ${expected}`,
    { hint: `Write ${expected}.`, details: { path } },
  )
}

export function field(map: Readonly<Record<string, unknown>>, key: string, path: string): Field | undefined {
  const value = map[key]
  return value === undefined || value === null ? undefined : { value, path: `${path}.${key}` }
}

export function toText(given: Field): string {
  const { value } = given
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return String(value)
  throw invalid(given, 'a text')
}

export function toMap(given: Field): Readonly<Record<string, unknown>> {
  if (isRecord(given.value)) return given.value
  throw invalid(given, 'a map')
}

/** One text counts as a list of one. */
export function toTexts(given: Field): string[] {
  return toList(given).map((entry) => toText(entry))
}

export function toList({ value, path }: Field): Field[] {
  const entries: readonly unknown[] = Array.isArray(value) ? value : [value]
  return entries.map((entry, index) => ({ value: entry, path: `${path}[${index}]` }))
}

/** Variables are filled in as text: "true" is true. */
export function toBoolean(given: Field): boolean {
  if (given.value === true || given.value === 'true') return true
  if (given.value === false || given.value === 'false') return false
  throw invalid(given, 'true or false')
}

export function toNumber(given: Field): number {
  const number = Number(given.value)
  if (given.value !== '' && Number.isFinite(number)) return number
  throw invalid(given, 'a number')
}

/** A map, or a list of "key=value"; a key alone has no value. */
export function toPairs(given: Field): [key: string, value: string | undefined][] {
  if (isRecord(given.value))
    return Object.entries(given.value).map(([key, value]) => [
      key,
      value === null ? undefined : toText({ value, path: `${given.path}.${key}` }),
    ])
  return toTexts(given).map((entry) => {
    const at = entry.indexOf('=')
    return at < 0 ? [entry, undefined] : [entry.slice(0, at), entry.slice(at + 1)]
  })
}
