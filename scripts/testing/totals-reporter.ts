import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Reporter, TestCase, TestModule } from 'vitest/node'
import { root } from '../root.ts'
import { collectConformance, type ConformanceTest } from './conformance.ts'
import { inOneLine, type Skip, type Totals, type Unsteady } from './totals.ts'

/** Writes what `npm test` needs for its last line. vitest's own JSON leaves out why a test was skipped. */
export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const target = process.env['HOLM_TEST_TOTALS']
    if (target === undefined) return
    writeFileSync(target, JSON.stringify(sumUp(modules, errors.length)))
    const conformance = process.env['HOLM_TEST_CONFORMANCE']
    if (conformance !== undefined)
      writeFileSync(conformance, JSON.stringify(collectConformance(listConformanceTests(modules))))
  }
}

function listConformanceTests(modules: readonly TestModule[]): ConformanceTest[] {
  return modules.flatMap((module) =>
    [...module.children.allTests()].map((test) => ({
      file: relative(root, module.moduleId),
      path: pathOf(test),
      state: test.result().state,
    })),
  )
}

function pathOf(test: TestCase): string[] {
  const names = [test.name]
  for (let parent = test.parent; parent.type === 'suite'; parent = parent.parent) names.unshift(parent.name)
  return names
}

function sumUp(modules: readonly TestModule[], outsideErrors: number): Totals {
  const tests = modules.flatMap((module) => [...module.children.allTests()])
  // A file that cannot even be loaded has no tests to fail: it counts as one failure.
  const brokenFiles = modules.filter((module) => module.errors().length > 0).length
  return {
    passed: count(tests, 'passed'),
    failed: count(tests, 'failed') + count(tests, 'pending') + brokenFiles + outsideErrors,
    skipped: tests.filter((test) => test.result().state === 'skipped').map(describeSkip),
    unsteady: tests.filter((test) => test.diagnostic()?.flaky === true).map(describeUnsteadyTest),
  }
}

function describeUnsteadyTest(test: TestCase): Unsteady {
  const [first] = test.result().errors ?? []
  return {
    file: relative(root, test.module.moduleId),
    name: test.fullName,
    error: inOneLine(first?.message ?? 'no reason given'),
  }
}

function count(tests: readonly TestCase[], state: ReturnType<TestCase['result']>['state']): number {
  return tests.filter((test) => test.result().state === state).length
}

function describeSkip(test: TestCase): Skip {
  const result = test.result()
  const note = result.state === 'skipped' ? result.note : undefined
  return {
    file: relative(root, test.module.moduleId),
    name: test.fullName,
    reason: note ?? (test.options.mode === 'todo' ? 'to do' : 'no reason given'),
  }
}
