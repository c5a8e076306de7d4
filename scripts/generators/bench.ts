import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchResults, CaseResult } from '../../bench/src/results.ts'
import { formatActual, formatMs } from '../../bench/src/table.ts'
import type { Generator } from '../generate.ts'
import { formatPage, formatTable, generatedFrom } from '../markdown.ts'
import { root } from '../root.ts'

const code = (text: string): string => `\`${text}\``

const intro = `\`pnpm bench\` runs holm, [@devcontainers/cli](https://github.com/devcontainers/cli) and plain \`docker\` in turns
(A B C, A B C, …) in one run on one machine, on the same image with the same mount. The budgets are ratios within such a run: they
hold for slow and for loaded machines, which milliseconds do not. The run below is the last one that was kept, with whatever it
missed.`

const howTo = `## Run it

As root on Linux the benchmark starts an engine of its own and takes it away again; elsewhere give it one with
\`HOLM_TEST_DOCKER_HOST=unix:///path/docker.sock\`. A whole run takes about ten minutes.

    pnpm build
    pnpm bench                          # everything
    pnpm bench exec cold-up --runs 5    # some suites, fewer runs
    pnpm bench version --no-save        # keeps no results
    pnpm generate                       # this page, from the results that were kept

A benchmark never fails because something was slow, only when something could not be run. Every sample is kept under
[bench/results](../../bench/results/README.md).`

function describeRun({
  date,
  commit,
  modified,
  runs,
  warmups,
  machine,
  image,
  versions,
}: BenchResults): string {
  const tools = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const loads = [machine.loadBefore, machine.loadAfter].map(([load = 0]) => load.toFixed(1))
  return [
    `${date.slice(0, 10)}, commit ${code(commit)}${modified ? ' with changes' : ''}; ${runs} counted runs of each after ${warmups} warm-ups.`,
    `${machine.cpus} processors (${machine.cpu}), ${machine.memoryGb} GB, ${machine.system}, kernel ${machine.kernel}; load average ${loads[0]} at the start, ${loads[1]} at the end.`,
    `${tools.join(', ')}. Image: ${image}.`,
  ].join('\n')
}

function listBudgets(cases: readonly CaseResult[]): string {
  const rows = cases.flatMap(({ title, verdicts }) =>
    verdicts.map((verdict) => [
      title,
      code(verdict.of),
      `${verdict.budget} of ${code(verdict.than)}`,
      formatActual(verdict),
      verdict.met ? 'met' : '**missed**',
    ]),
  )
  return formatTable(['path', 'command', 'budget', 'measured', 'verdict'], rows)
}

function listTimes(cases: readonly CaseResult[]): string {
  const rows = cases.flatMap(({ title, contenders }) =>
    contenders.map(({ name, medianMs, p95Ms, minMs, maxMs }) => [
      title,
      code(name),
      ...[medianMs, p95Ms, minMs, maxMs].map((ms) => formatMs(ms)),
    ]),
  )
  return formatTable(['path', 'command', 'median', 'p95', 'min', 'max'], rows)
}

function listNotRun({ notRun }: BenchResults): string[] {
  return notRun.length === 0 ? [] : [`Not run: ${notRun.map(({ suite }) => suite).join(', ')}.`]
}

function createPage(results: BenchResults): string {
  return formatPage(
    generatedFrom('bench/results/latest.json'),
    '# Benchmarks',
    intro,
    '## Budgets',
    listBudgets(results.cases),
    describeRun(results),
    ...listNotRun(results),
    '## Milliseconds',
    listTimes(results.cases),
    howTo,
  )
}

const generator: Generator = {
  name: 'bench',
  async generate() {
    const file = join(root, 'bench', 'results', 'latest.json')
    return { 'docs/guide/benchmarks.md': createPage(JSON.parse(readFileSync(file, 'utf8')) as BenchResults) }
  },
}

export default generator
