import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { sha256 } from './digest.ts'

test.each([
  '',
  'abc',
  'ä → 🏝',
  '\ud800',
  'x'.repeat(55),
  'x'.repeat(56),
  'x'.repeat(64),
  'long '.repeat(4000),
])('what node:crypto says of it too: %j', (text) => {
  expect(sha256(text)).toBe(createHash('sha256').update(text).digest('hex'))
})
