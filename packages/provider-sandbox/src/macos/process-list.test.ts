import { describe, expect, it } from 'vitest'
import { bootOf, findOwn, parseProcesses } from './process-list.ts'

const text = `    1     0     1 Ss   Fri Nov 20 19:37:00 2026
   40     1    40 S+   Fri Nov 20 20:00:01 2026
   41    40    40 S    Fri Nov 20 20:00:02 2026
   42    41    42 R    Fri Nov  6 20:00:03 2026
   43    40    40 Z    Fri Nov 20 20:00:03 2026
   50     1    49 S    Fri Nov 20 20:00:04 2026
   60     1    60 S    Fri Nov 20 20:00:05 2026
`
const processes = parseProcesses(text)
const own = (leaders: readonly [number, string][]): number[] =>
  findOwn(new Map(leaders), processes).map(({ pid }) => pid)

it('reads what ps says, zombies aside', () => {
  expect(processes.map(({ pid }) => pid)).toEqual([1, 40, 41, 42, 50, 60])
  expect(processes[3]).toEqual({ pid: 42, parent: 41, group: 42, start: 'Fri Nov 6 20:00:03 2026' })
  expect(bootOf(processes)).toBe('Fri Nov 20 19:37:00 2026')
})

describe('findOwn', () => {
  it('has the group, and children with groups of their own', () =>
    expect(own([[40, 'Fri Nov 20 20:00:01 2026']])).toEqual([40, 41, 42]))
  it('has a group whose leader has ended', () =>
    expect(own([[49, 'Fri Nov 20 20:00:00 2026']])).toEqual([50]))
  it('leaves a recycled number alone', () => expect(own([[60, 'Fri Nov 20 19:59:59 2026']])).toEqual([]))
})
