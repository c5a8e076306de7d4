// Takes a machine with any Node >= 20 and npm to a built holm. Plain JavaScript: it runs before anything is installed.
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './bootstrap/lock.mjs'
import { elapsed, say, step } from './bootstrap/progress.mjs'
import { SetupError, runQuietly } from './bootstrap/run.mjs'
import { createStamps, findFiles, hashFiles } from './bootstrap/stamps.mjs'
import { describeToolchain, hasToolchain, installToolchain, planToolchain } from './bootstrap/toolchain.mjs'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const tools = join(root, '.tools')

/** @typedef {{ node: string, pnpm: string, env: NodeJS.ProcessEnv }} Toolchain */
/** @typedef {{ name: string, title: string, inputs: () => string, present: () => boolean, work: () => Promise<void> }} Stage */

/**
 * Installs the toolchain and the dependencies and builds, each only when its inputs have changed.
 * @returns {Promise<Toolchain>}
 */
export async function setup() {
  const since = performance.now()
  const plan = planToolchain(root)
  const toolchain = describeToolchain(tools, plan)
  const stages = listStages(plan, toolchain)
  const stamps = createStamps(join(tools, 'stamps.json'))
  /** @param {Stage} stage */
  const isDone = (stage) => stage.present() && stamps.matches(stage.name, stage.inputs())
  if (stages.every((stage) => isDone(stage))) return toolchain
  await withLock(tools, async () => {
    for (const stage of stages) {
      if (isDone(stage)) continue
      const inputs = stage.inputs()
      stamps.clear(stage.name)
      await step(stage.title, stage.work)
      stamps.save(stage.name, inputs)
    }
  })
  say(`setup: ready (${elapsed(since)})`)
  return toolchain
}

/**
 * @param {import('./bootstrap/toolchain.mjs').ToolchainPlan} plan
 * @param {Toolchain} toolchain
 * @returns {Stage[]}
 */
function listStages(plan, { pnpm, env }) {
  // CI keeps pnpm from asking questions.
  const pnpmEnv = { ...env, CI: 'true' }
  return [
    {
      name: 'toolchain',
      title: plan.install.join(' and '),
      inputs: () => plan.key,
      present: () => hasToolchain(tools, plan),
      work: () => installToolchain(tools, plan),
    },
    {
      name: 'dependencies',
      title: 'dependencies',
      inputs: () => hashFiles(root, dependencyInputs()),
      present: () => existsSync(join(root, 'node_modules', '.modules.yaml')),
      work: () => runQuietly([pnpm, 'install', '--frozen-lockfile'], { cwd: root, env: pnpmEnv }),
    },
    {
      name: 'build',
      title: 'build',
      inputs: () => hashFiles(root, buildInputs()),
      present: () => packageFolders().every((folder) => existsSync(join(folder, 'dist'))),
      work: () => runQuietly([pnpm, 'run', 'build'], { cwd: root, env: pnpmEnv }),
    },
  ]
}

function dependencyInputs() {
  const manifests = ['packages', 'examples', 'bench'].flatMap((folder) =>
    findFiles(join(root, folder), (path) => path.endsWith('package.json')),
  )
  return [
    ...manifests,
    ...['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml'].map((name) => join(root, name)),
  ]
}

function buildInputs() {
  const sources = findFiles(
    join(root, 'packages'),
    (path) => !/\.test\.ts$|\.md$|oclif\.manifest\.json$/.test(path),
  )
  const shared = ['tsconfig.base.json', 'tsconfig.package.json', 'pnpm-lock.yaml', 'scripts/tsup-preset.ts']
  return [...sources, ...shared.map((name) => join(root, name))]
}

function packageFolders() {
  const folders = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name))
  return folders.filter((folder) => existsSync(join(folder, 'tsup.config.ts')))
}

/**
 * Runs a script's main function; what a person can act on is printed without a stack.
 * @param {() => Promise<number | void>} main
 */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0
  } catch (error) {
    say(
      error instanceof SetupError
        ? `error: ${error.message}`
        : String(error instanceof Error ? error.stack : error),
    )
    process.exitCode = 1
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    await setup()
  })
}
