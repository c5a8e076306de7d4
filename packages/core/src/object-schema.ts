import type { StandardIssue, StandardSchema } from './standard-schema.ts'

/** What is wrong with a value, or undefined: "must be true or false". */
export type OptionCheck = (value: unknown) => string | undefined

const text: OptionCheck = (value) =>
  typeof value === 'string' && value !== '' ? undefined : 'must be a text'
const texts: OptionCheck = (value) =>
  Array.isArray(value) && value.every((item) => text(item) === undefined)
    ? undefined
    : 'must be a list of texts'

/** Checks that sections of several plugins need. */
export const optionChecks = {
  text,
  texts,
  flag: (value) => (typeof value === 'boolean' ? undefined : 'must be true or false'),
  bytes: (value) =>
    Number.isSafeInteger(value) && Number(value) > 0 ? undefined : 'must be a number of bytes above 0',
  textMap: (value) =>
    isRecord(value) && Object.values(value).every((item) => text(item) === undefined)
      ? undefined
      : 'must map names to texts',
  limitMap: (value) =>
    isRecord(value) && Object.values(value).every(isLimit)
      ? undefined
      : 'must map names to a number or to { soft, hard }',
} satisfies Record<string, OptionCheck>

/**
 * Schema of a section with a few plain keys, for a plugin that needs no library for it. Every key is optional and checked;
 * an unknown one is refused by name. An absent section is an empty one.
 */
export function objectSchema<T>(checks: Readonly<Record<keyof T & string, OptionCheck>>): StandardSchema<T> {
  return {
    '~standard': {
      version: 1,
      vendor: 'holm',
      validate(value) {
        if (value === undefined || value === null) return { value: {} as T }
        if (!isRecord(value)) return { issues: [{ message: 'must be an object' }] }
        const issues = Object.entries(value).flatMap(([key, item]) => checkKey(checks, key, item))
        return issues.length > 0 ? { issues } : { value: value as T }
      },
    },
  }
}

function checkKey(
  checks: Readonly<Record<string, OptionCheck>>,
  key: string,
  value: unknown,
): readonly StandardIssue[] {
  const check = Object.hasOwn(checks, key) ? checks[key] : undefined
  if (!check) return [{ message: `unknown key; known are ${Object.keys(checks).join(', ')}`, path: [key] }]
  const message = check(value)
  return message === undefined ? [] : [{ message, path: [key] }]
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isLimit(value: unknown): boolean {
  if (Number.isSafeInteger(value)) return true
  return isRecord(value) && Number.isSafeInteger(value['soft']) && Number.isSafeInteger(value['hard'])
}
