import { describe, expect, it } from 'vitest'
import { runChecks } from '../src/index.ts'
import { brokenExec } from './broken-exec.ts'
import { brokenFacets } from './broken-facets.ts'
import { brokenLife } from './broken-life.ts'
import { memoryKit } from './subject.ts'

/** Long enough for a machine under load: of those that must stay silent none may run into it. */
const timeoutMs = 12_000

/** Of those that must notice, some wait in vain for what the broken provider never does. A sound one takes a fraction of this. */
const vainMs = 3000

// The test of the test: a rule that is broken is noticed by the checks that guard it, and by no others.
describe('the kit', () => {
  for (const { what, breakIt, options, suites, fails } of [...brokenExec, ...brokenLife, ...brokenFacets]) {
    it.concurrent(`notices that ${what}`, { timeout: 10 * timeoutMs }, async () => {
      const wanted = (id: string): boolean => suites.includes(id.split(': ')[0] ?? '')
      const run = (deadlineMs: number, noticing: boolean) =>
        runChecks(
          { ...memoryKit(breakIt), timeoutMs: deadlineMs, ...options },
          (id) => wanted(id) && fails.includes(id) === noticing,
        )
      const results = (await Promise.all([run(timeoutMs, false), run(vainMs, true)])).flat()
      const failed = results.filter(({ status }) => status === 'failed')
      const details = failed.map(({ id, detail }) => `${id}: ${detail?.slice(0, 200)}`).join('\n')
      expect(failed.map(({ id }) => id).toSorted(), details).toEqual(fails.toSorted())
    })
  }
})
