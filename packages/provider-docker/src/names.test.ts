import { expect, it } from 'vitest'
import { uniqueMark } from './names.ts'

it('makes marks of one length that are never the same', () => {
  const marks = Array.from({ length: 10_000 }, uniqueMark)
  expect(new Set(marks).size).toBe(marks.length)
  for (const mark of marks) expect(mark).toMatch(/^[0-9a-z]{25}$/)
})
