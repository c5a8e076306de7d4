import { expect, it } from 'vitest'
import { concludeRun, describeSkips, describeUnsteady, inOneLine } from './totals.ts'

it('fails when a test or a check failed, and when nothing ran', () => {
  expect(concludeRun({ passed: 3, failed: 0, skipped: [], unsteady: [] }, 0)).toEqual({
    line: '3 passed, 0 failed, 0 skipped',
    exitCode: 0,
  })
  expect(concludeRun({ passed: 3, failed: 1, skipped: [], unsteady: [] }, 0).exitCode).toBe(1)
  expect(concludeRun({ passed: 3, failed: 0, skipped: [], unsteady: [] }, 2)).toEqual({
    line: '3 passed, 2 failed, 0 skipped',
    exitCode: 1,
  })
  expect(concludeRun({ passed: 0, failed: 0, skipped: [], unsteady: [] }, 0).exitCode).toBe(1)
})

it('lists skipped tests once per file and reason', () => {
  const skip = (name: string, reason: string) => ({ file: 'a.test.ts', name, reason })
  const skips = [skip('one', 'no docker'), skip('two', 'no docker'), skip('three', 'to do')]
  expect(describeSkips(skips)).toEqual([
    'skipped 2 in a.test.ts: no docker (one; two)',
    'skipped 1 in a.test.ts: to do (three)',
  ])
})

it('tells an error of many lines in one', () => {
  expect(inOneLine('$ holm up\n\n  exit 7\nerror HOLM_BUSY: x\n')).toBe(
    '$ holm up | exit 7 | error HOLM_BUSY: x',
  )
  expect(inOneLine('long '.repeat(1000))).toHaveLength(900)
})

it('names what passed only when it was run again', () => {
  expect(describeUnsteady([{ file: 'a.test.ts', name: 'one', error: 'Error: late' }])).toEqual([
    'passed only when run again: a.test.ts (one): Error: late',
  ])
})
