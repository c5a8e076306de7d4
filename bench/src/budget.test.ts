import { describe, expect, it } from 'vitest'
import { judge } from './budget.ts'

const medians = new Map([
  ['node', 40],
  ['holm', 100],
])

describe('judge', () => {
  it('holds a budget that is just met', () => {
    const verdicts = judge(
      [
        { of: 'holm', than: 'node', plusMs: 60 },
        { of: 'holm', than: 'node', times: 2.5 },
      ],
      medians,
    )
    expect(verdicts).toEqual([
      { of: 'holm', than: 'node', ratio: 2.5, differenceMs: 60, budget: '<= +60 ms', met: true },
      { of: 'holm', than: 'node', ratio: 2.5, differenceMs: 60, budget: '<= 2.5x', met: true },
    ])
  })

  it('says what is missed', () => {
    const [added, factor] = judge(
      [
        { of: 'holm', than: 'node', plusMs: 59 },
        { of: 'holm', than: 'node', times: 2.4 },
      ],
      medians,
    )
    expect([added?.met, factor?.met]).toEqual([false, false])
  })

  it('leaves out what was not measured', () => {
    expect(judge([{ of: 'holm', than: 'docker', times: 1.3 }], medians)).toEqual([])
  })
})
