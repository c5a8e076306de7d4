import { defineConfig } from 'vitest/config'
import SlowFirst from './scripts/testing/slow-first.ts'

// Source instead of dist: a test never sees a stale build.
const conditions = ['holm-source', 'node', 'import', 'module', 'default']
const resolve = { conditions }
const ssr = { resolve: { conditions, externalConditions: conditions } }

// With real daemons, in the whole run alone: it tells which tests needed it. Nowhere else is a second try hidden.
const retry = Number(process.env['HOLM_TEST_RETRY'] ?? 0)

const live = ['packages/*/test/**/*.live.test.ts', 'e2e/**/*.test.ts']

export default defineConfig({
  test: {
    sequence: { sequencer: SlowFirst },
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'scripts/**/*.test.ts',
            'docs/**/*.test.ts',
            'bench/**/*.test.ts',
          ],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'conformance',
          include: ['packages/*/test/**/*.test.ts'],
          exclude: [...live, '**/node_modules/**'],
          testTimeout: 20_000,
          hookTimeout: 20_000,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'live',
          include: live,
          exclude: ['**/node_modules/**', 'e2e/machine/**'],
          retry,
          testTimeout: 120_000,
          hookTimeout: 180_000,
          // Engines share one kernel: two files at a time keep timings honest on small machines.
          maxWorkers: 2,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'machine',
          include: ['e2e/machine/**/*.test.ts'],
          exclude: ['**/node_modules/**'],
          retry,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // What is compared is the whole machine: nothing else runs meanwhile.
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
