import { existsSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { root } from '../../scripts/root.ts'
import { openEngine, type Engine } from './engine.ts'
import { createLab, type Lab } from './lab.ts'
import { describeMachine } from './machine.ts'
import { measure, type Case } from './measure.ts'
import { parseOptions, type BenchOptions } from './options.ts'
import { awaitQuiet } from './quiet.ts'
import { createCaseResult, saveResults, type BenchResults, type CaseResult } from './results.ts'
import type { Suite } from './suites/index.ts'
import { formatCase } from './table.ts'
import { readCommit, readVersions } from './versions.ts'

interface Outcome {
  readonly cases: CaseResult[]
  readonly notRun: { suite: string; reason: string }[]
}

/** The whole of `pnpm bench`; the exit code is 1 when something could not be run, never because something was slow. */
export async function runBench(argv: readonly string[]): Promise<number> {
  const interrupted = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interrupted.abort())
  try {
    const options = parseOptions(argv)
    if (!existsSync(join(root, 'packages', 'cli', 'dist'))) throw new Error('holm is not built: pnpm build')
    return await runWith(options, interrupted.signal)
  } catch (error) {
    say(interrupted.signal.aborted ? 'interrupted' : `error: ${reasonOf(error)}`)
    return interrupted.signal.aborted ? 130 : 1
  }
}

async function runWith(options: BenchOptions, signal: AbortSignal): Promise<number> {
  const loadBefore = loadavg()
  const date = new Date().toISOString()
  const namespace = `holm-bench-${process.pid}`
  const { engine, problem } = await openEngineFor(options.suites, namespace)
  try {
    const outcome = await runSuites(options, { signal, namespace, engine, problem })
    const results: BenchResults = {
      form: 1,
      date,
      ...(await readCommit()),
      runs: options.runs,
      warmups: options.warmups,
      machine: describeMachine(loadBefore),
      versions: await readVersions(engine),
      image: engine?.imageDescription ?? 'none',
      ...outcome,
    }
    if (options.save) say(`saved bench/results/${saveResults(results)}`)
    for (const { suite, reason } of outcome.notRun) say(`not run: ${suite}: ${reason}`)
    return outcome.notRun.length === 0 ? 0 : 1
  } finally {
    await engine?.stop()
  }
}

async function openEngineFor(
  suites: readonly Suite[],
  namespace: string,
): Promise<{ engine?: Engine; problem?: string }> {
  if (!suites.some(({ needs }) => needs === 'docker')) return {}
  try {
    return { engine: await openEngine(namespace) }
  } catch (error) {
    return { problem: reasonOf(error) }
  }
}

interface Surroundings {
  readonly signal: AbortSignal
  readonly namespace: string
  readonly engine: Engine | undefined
  readonly problem: string | undefined
}

async function runSuites(options: BenchOptions, around: Surroundings): Promise<Outcome> {
  const lab = createLab(around)
  const outcome: Outcome = { cases: [], notRun: [] }
  try {
    for (const suite of options.suites) {
      const reason =
        suite.needs === 'docker' && around.problem !== undefined
          ? around.problem
          : await runSuite(suite, { lab, options, outcome })
      around.signal.throwIfAborted()
      // Paths of this machine belong in no file.
      if (reason !== undefined)
        outcome.notRun.push({ suite: suite.name, reason: hidePaths(reason, lab.folder) })
    }
    return outcome
  } finally {
    await lab.dispose()
  }
}

/** Returns why it could not be run to its end, if so. */
async function runSuite(
  suite: Suite,
  { lab, options, outcome }: { lab: Lab; options: BenchOptions; outcome: Outcome },
): Promise<string | undefined> {
  try {
    say(`${suite.name}: preparing ...`)
    for await (const bench of suite.cases(lab)) {
      const result = await runCase(bench, options, lab.signal)
      outcome.cases.push(result)
      process.stdout.write(`${formatCase(result)}\n\n`)
    }
    return undefined
  } catch (error) {
    return reasonOf(error)
  }
}

async function runCase(bench: Case, options: BenchOptions, signal: AbortSignal): Promise<CaseResult> {
  await awaitQuiet(signal)
  const [load = 0] = loadavg()
  const { runs, warmups } = options
  const since = performance.now()
  const samples = await measure(bench, { runs, warmups, signal })
  const seconds = ((performance.now() - since) / 1000).toFixed(0)
  say(`${bench.id}: ${runs} runs of each in ${seconds} s (load ${load.toFixed(1)})`)
  return createCaseResult(bench, samples, load)
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function hidePaths(text: string, folder: string): string {
  return text.replaceAll(folder, '<temporary>').replaceAll(root, '<checkout>')
}
