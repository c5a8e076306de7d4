import { describe, expect, it } from 'vitest'
import { parseSample } from './metrics.ts'

const text = `cpu  100 0 100 800 0 0 0 0 0 0
cpu0 50 0 50 400 0 0 0 0 0 0
cpu1 50 0 50 400 0 0 0 0 0 0
cpu  125 0 100 825 0 0 0 0 0 0
MemTotal:        1024 kB
MemAvailable:     256 kB
processes 7
`

describe('parseSample', () => {
  it('is the share of all processors that was busy, in percent of one', () => {
    expect(parseSample(text)).toEqual({
      cpuPercent: 100,
      memoryBytes: 768 * 1024,
      memoryLimitBytes: 1024 * 1024,
      processes: 7,
    })
  })

  it('is nothing when something is missing', () => {
    expect(parseSample(text.replace('processes 7', ''))).toBeUndefined()
  })
})
