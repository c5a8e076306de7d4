import { expect, test } from 'vitest'
import { configKeys, configTable, findEntry } from './schema.ts'
import { checkValue, parseDuration } from './value.ts'

test.each(configKeys)('%s: the variable follows from the key and the default is valid', (key) => {
  const entry = findEntry(key)!
  const words = key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
  expect(entry.env).toBe(`HOLM_${words.replaceAll('.', '__')}`)
  const value = entry.default
  expect(value === undefined ? { value } : checkValue(value, entry)).toEqual({ value })
  expect(entry.meaning).toMatch(/\.$/)
})

test('names of objects are no keys', () => {
  expect(findEntry('constructor')).toBeUndefined()
  expect(Object.keys(configTable)).toContain('provider')
})

test.each([
  ['500ms', 500],
  ['30s', 30_000],
  ['1.5m', 90_000],
  ['2 h', 7_200_000],
  ['250', 250],
  ['soon', undefined],
  ['-1s', undefined],
  ['1d', undefined],
  ['', undefined],
])('the time %j', (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds)
})
