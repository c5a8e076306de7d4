import { join } from 'node:path'
import { lastLines, runCommand, withLocalTools } from '../command.ts'
import { listPackages } from '../packages.ts'
import { root } from '../root.ts'

export interface CheckStep {
  readonly name: string
  readonly argv: readonly (readonly string[])[]
}

export interface CheckResult {
  readonly name: string
  readonly passed: boolean
}

/** The static half of `pnpm check`, in the order in which failures are most useful. */
export function listStaticSteps(): CheckStep[] {
  return [
    { name: 'build', argv: [['pnpm', 'run', 'build']] },
    { name: 'types', argv: [['tsc', '--noEmit']] },
    { name: 'lint', argv: [['oxlint', '--type-aware', '--deny-warnings']] },
    { name: 'format', argv: [['oxfmt', '--check']] },
    { name: 'generated', argv: [['node', 'scripts/generate.ts', '--check']] },
    { name: 'unused', argv: [['knip', '--no-progress']] },
    { name: 'packages', argv: publishable().map((folder) => ['publint', 'run', folder, '--strict']) },
  ]
}

export const fastTests: CheckStep = {
  name: 'tests',
  argv: [['vitest', 'run', '--project', 'unit', '--project', 'conformance']],
}

function publishable(): string[] {
  const published = listPackages().filter(({ manifest }) => !manifest.private)
  return published.map(({ id }) => join(root, 'packages', id))
}

/** Runs all steps, also after a failure: one run shows everything that is wrong. */
export async function runSteps(steps: readonly CheckStep[]): Promise<CheckResult[]> {
  const results: CheckResult[] = []
  for (const step of steps) results.push(await runStep(step))
  return results
}

async function runStep({ name, argv }: CheckStep): Promise<CheckResult> {
  const since = performance.now()
  const failures: string[] = []
  for (const command of argv) {
    const { code, output } = await runCommand(command, { env: withLocalTools() })
    if (code !== 0) failures.push(`$ ${command.join(' ')}\n${lastLines(output, 200)}`)
  }
  const passed = failures.length === 0
  const seconds = ((performance.now() - since) / 1000).toFixed(1)
  console.log(`${passed ? 'ok  ' : 'FAIL'} ${name.padEnd(10)} ${seconds.padStart(6)} s`)
  for (const failure of failures) console.log(failure)
  return { name, passed }
}
