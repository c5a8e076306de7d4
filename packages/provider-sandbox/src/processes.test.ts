import { describe, expect, it } from 'vitest'
import { identify, isAlive, parseStat } from './processes.ts'

describe('parseStat', () => {
  it('survives a name with brackets and spaces', () => {
    const fields = [
      'S',
      '7',
      ...Array.from({ length: 9 }, () => '0'),
      '30',
      '12',
      ...Array.from({ length: 6 }, () => '0'),
      '98765',
      '4096',
      '17',
    ]
    expect(parseStat(`42 (a) S (b c) ${fields.join(' ')}`)).toEqual({
      state: 'S',
      parent: 7,
      cpuTicks: 42,
      start: '98765',
      residentPages: 17,
    })
  })
})

describe('isAlive', () => {
  const self = identify(process.pid)!
  it('knows this process', () => expect(isAlive(self)).toBe(true))
  it('takes a recycled number for another process', () =>
    expect(isAlive({ ...self, start: '1' })).toBe(false))
  it('takes a number from before a reboot for another process', () =>
    expect(isAlive({ ...self, bootId: 'other' })).toBe(false))
})
