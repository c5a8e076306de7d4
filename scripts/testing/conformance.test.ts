import { expect, it } from 'vitest'
import { collectConformance, compareConformance, verdictOf, type ConformanceTest } from './conformance.ts'

const file = 'packages/provider-docker/test/conformance.live.test.ts'
const test = (path: string, state: ConformanceTest['state'], from = file): ConformanceTest => ({
  file: from,
  path: path.split(' > '),
  state,
})

it('counts the rules of each suite, by provider and tier', () => {
  const scripted = 'packages/provider-wsl/test/conformance.live.test.ts'
  expect(
    collectConformance([
      test('docker > logs > a', 'passed'),
      test('docker > logs > b', 'skipped'),
      test('docker > clone > c', 'failed'),
      test('wsl (stand-in) > logs > a', 'passed', scripted),
      test('other > logs > a', 'passed', 'packages/provider-docker/test/docker.live.test.ts'),
      test('about > a', 'passed'),
    ]),
  ).toEqual({
    docker: {
      live: { logs: { passed: 1, failed: 0, skipped: 1 }, clone: { passed: 0, failed: 1, skipped: 0 } },
    },
    wsl: { scripted: { logs: { passed: 1, failed: 0, skipped: 0 } } },
  })
})

it('adds up the files of one provider: each way to run it is one', () => {
  const tools = 'packages/provider-lxc/test/conformance.live.test.ts'
  const daemon = 'packages/provider-lxc/test/conformance.incus.live.test.ts'
  const both = [
    test('lxc (root) > logs > a', 'passed', tools),
    test('lxc (Incus or LXD) > logs > a', 'failed', daemon),
  ]
  expect(collectConformance(both)).toEqual({
    lxc: { live: { logs: { passed: 1, failed: 1, skipped: 0 } } },
  })
})

it('takes a suite as failed when one rule is, and as skipped when none ran', () => {
  expect(verdictOf({ passed: 5, failed: 1, skipped: 0 })).toBe('failed')
  expect(verdictOf({ passed: 1, failed: 0, skipped: 9 })).toBe('passed')
  expect(verdictOf({ passed: 0, failed: 0, skipped: 9 })).toBe('skipped')
})

it('tells where a run contradicts the docs, which what cannot run here does not', () => {
  const one = { passed: 1, failed: 0, skipped: 0 }
  const none = { passed: 0, failed: 0, skipped: 1 }
  const documented = { docker: { live: { logs: one } }, lxc: { live: { logs: one } } }
  expect(compareConformance(documented, documented)).toEqual([])
  expect(compareConformance(documented, { lxc: { live: { logs: none } } })).toEqual([])
  const bad = { passed: 1, failed: 1, skipped: 0 }
  expect(
    compareConformance(documented, { docker: { live: { logs: bad, clone: one, pause: none } } }),
  ).toEqual([
    'docker, live, logs: the docs say passed, this run failed',
    'docker, live, clone: the docs say nothing, this run passed',
  ])
  expect(compareConformance({}, { docker: { live: { logs: one } } })).toEqual([
    'docker, live, logs: the docs say nothing, this run passed',
  ])
})
