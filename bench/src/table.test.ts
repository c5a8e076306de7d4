import { describe, expect, it } from 'vitest'
import { judge } from './budget.ts'
import { summarise } from './statistics.ts'
import { formatCase, formatMs } from './table.ts'

const contenders = [
  { name: 'docker run -d', ...summarise([200, 210, 190]), samplesMs: [200, 210, 190] },
  { name: 'holm up', ...summarise([300, 310, 1000]), samplesMs: [300, 310, 1000] },
]
const medians = new Map(contenders.map(({ name, medianMs }) => [name, medianMs]))

describe('formatCase', () => {
  it('aligns the numbers and says which budget is met', () => {
    const verdicts = judge(
      [
        { of: 'holm up', than: 'docker run -d', times: 1.3 },
        { of: 'holm up', than: 'docker run -d', plusMs: 110 },
      ],
      medians,
    )
    const result = { id: 'cold', title: 'first up', load: 0.5, contenders, verdicts }
    expect(formatCase(result)).toBe(
      [
        'cold: first up',
        '  ms             median  p95  min   max',
        '  docker run -d     200  209  190   210',
        '  holm up           310  931  300  1000',
        '  MISSED holm up 1.55x of docker run -d (<= 1.3x)',
        '  met    holm up +110 ms of docker run -d (<= +110 ms)',
      ].join('\n'),
    )
  })
})

describe('formatMs', () => {
  it.each([
    [7.26, '7.3'],
    [10.4, '10'],
    [999.6, '1000'],
  ])('%d', (ms, expected) => {
    expect(formatMs(ms)).toBe(expected)
  })
})
