import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createCaseResult, saveResults, stringifyResults, type BenchResults } from './results.ts'

const folder = mkdtempSync(join(tmpdir(), 'holm-bench-test-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const bench = {
  id: 'exec',
  title: 'one program',
  contenders: [],
  budgets: [{ of: 'holm', than: 'docker', plusMs: 70 }],
}
const samples = new Map([
  ['docker', [50.12345, 52]],
  ['holm', [110, 120]],
])

const results: BenchResults = {
  form: 1,
  date: '2026-01-02T03:04:05.000Z',
  commit: 'abc1234',
  modified: false,
  runs: 2,
  warmups: 0,
  machine: {
    cpus: 2,
    cpu: 'x',
    memoryGb: 4,
    system: 's',
    kernel: 'k',
    loadBefore: [1, 2, 3],
    loadAfter: [0, 0, 0],
  },
  versions: {},
  image: 'busybox',
  cases: [createCaseResult(bench, samples, 0.25)],
  notRun: [],
}

describe('saveResults', () => {
  it('keeps every sample under the date and commit, and as the latest', () => {
    const name = saveResults(results, folder)
    expect(name).toBe('2026-01-02-abc1234.json')
    expect(readdirSync(folder).toSorted()).toEqual([name, 'latest.json'])
    const read = JSON.parse(readFileSync(join(folder, 'latest.json'), 'utf8')) as BenchResults
    const [first] = read.cases
    expect(first?.contenders[0]).toMatchObject({ name: 'docker', samplesMs: [50.123, 52] })
    expect(first?.verdicts[0]).toMatchObject({ met: true, budget: '<= +70 ms' })
  })
})

describe('stringifyResults', () => {
  it('puts the samples on one line', () => {
    expect(stringifyResults(results)).toContain('"samplesMs": [50.123, 52]')
  })
})
