import { describe, expect, it } from 'vitest'
import { percentileOf, summarise } from './statistics.ts'

describe('summarise', () => {
  it('sorts by number, not by text', () => {
    expect(summarise([100, 9, 20])).toEqual({ count: 3, medianMs: 20, p95Ms: 92, minMs: 9, maxMs: 100 })
  })

  it('takes the middle between two in an even count', () => {
    expect(summarise([4, 1, 3, 2]).medianMs).toBe(2.5)
  })

  it('is the value itself where there is one', () => {
    expect(summarise([7])).toEqual({ count: 1, medianMs: 7, p95Ms: 7, minMs: 7, maxMs: 7 })
  })

  it('leaves the samples in their order', () => {
    const samples = [3, 1, 2]
    summarise(samples)
    expect(samples).toEqual([3, 1, 2])
  })
})

describe('percentileOf', () => {
  it.each([
    [0, 10],
    [25, 20],
    [90, 46],
    [100, 50],
  ])('%i %% of five values', (percent, expected) => {
    expect(percentileOf([10, 20, 30, 40, 50], percent)).toBeCloseTo(expected, 10)
  })

  it('has no answer for no values', () => {
    expect(percentileOf([], 50)).toBeNaN()
  })
})
