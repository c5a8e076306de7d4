import { describe, expect, it } from 'vitest'
import { idleShare } from './quiet.ts'

describe('idleShare', () => {
  it('is of the time between, not of all time', () => {
    expect(idleShare({ idle: 1000, all: 2000 }, { idle: 1030, all: 2100 })).toBeCloseTo(0.3, 10)
  })

  it('takes a system that counts nothing for idle', () => {
    expect(idleShare({ idle: 5, all: 5 }, { idle: 5, all: 5 })).toBe(1)
  })
})
