// `npm test`, on Node 24: prepares the machine, runs the checks and every test, and leaves nothing behind.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listStaticSteps, runSteps } from '../check/steps.ts'
import { withLocalTools } from '../command.ts'
import { root } from '../root.ts'
import { startContainerd, type TestContainerd } from './containerd.ts'
import { startDockerd, type TestEngine } from './dockerd.ts'
import { sweepEngines } from './engine-records.ts'
import { prepareDisk } from './disk.ts'
import { startIncus, type TestIncus } from './incus.ts'
import { prepareMachine } from './machine.ts'
import { prepareForeignRootfs, prepareProvisionedRootfs, prepareRootfs } from './rootfs.ts'
import { compareConformance } from './conformance.ts'
import { conformancePage, conformanceRecord, conformanceRun, readConformance } from './conformance-files.ts'
import { concludeRun, describeSkips, describeUnsteady, type Totals } from './totals.ts'

const nothing: Totals = { passed: 0, failed: 0, skipped: [], unsteady: [] }

async function main(): Promise<number> {
  const checks = await runSteps(listStaticSteps())
  const failedChecks = checks.filter(({ passed }) => !passed)
  const totals = await withRuntimes(runTests)
  const drift = listDrift()
  for (const line of describeSkips(totals.skipped)) console.log(line)
  for (const line of describeUnsteady(totals.unsteady)) console.log(line)
  for (const { name } of failedChecks) console.log(`failed check: ${name}`)
  for (const line of drift) console.log(`failed check: ${conformancePage} (run pnpm record): ${line}`)
  const { line, exitCode } = concludeRun(totals, failedChecks.length + (drift.length > 0 ? 1 : 0))
  console.log(line)
  return exitCode
}

/** Gives the tests what this machine can offer, and takes it away again also after Ctrl-C. */
async function withRuntimes(
  work: (env: NodeJS.ProcessEnv, signal: AbortSignal) => Promise<Totals>,
): Promise<Totals> {
  const interrupted = new AbortController()
  const interrupt = (): void => interrupted.abort()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, interrupt)
  let engine: TestEngine | undefined
  let containerd: TestContainerd | undefined
  let incus: TestIncus | undefined
  try {
    await prepareMachine()
    await sweepEngines()
    const [rootfs, foreign, provisioned, disk] = await Promise.all([
      prepareRootfs(),
      prepareForeignRootfs(),
      prepareProvisionedRootfs(),
      prepareDisk(),
    ])
    engine = await startDockerd()
    containerd = await startContainerd()
    incus = await startIncus()
    return await work(
      {
        ...withLocalTools(),
        ...(rootfs === undefined ? {} : { HOLM_TEST_ROOTFS: rootfs }),
        ...(provisioned === undefined ? {} : { HOLM_TEST_PROVISIONED_ROOTFS: provisioned }),
        ...(foreign === undefined ? {} : { HOLM_TEST_AARCH64_ROOTFS: foreign }),
        ...(disk === undefined ? {} : { HOLM_TEST_DISK: disk }),
        // An engine without iptables resolves no names of containers.
        ...(engine === undefined ? {} : { HOLM_TEST_DOCKER_HOST: engine.host, HOLM_TEST_DOCKER_NAMES: 'no' }),
        ...(containerd === undefined ? {} : { HOLM_TEST_CONTAINERD_ADDRESS: containerd.address }),
        ...(incus === undefined ? {} : { HOLM_TEST_INCUS_SOCKET: incus.socket }),
      },
      interrupted.signal,
    )
  } finally {
    await incus?.stop()
    await containerd?.stop()
    await engine?.stop()
  }
}

async function runTests(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Totals> {
  const folder = mkdtempSync(join(tmpdir(), 'holm-totals-'))
  rmSync(conformanceRun, { force: true })
  const file = join(folder, 'totals.json')
  const reporters = ['--reporter=default', '--reporter=./scripts/testing/totals-reporter.ts']
  const code = await runVitest(
    [...reporters, ...process.argv.slice(2)],
    { ...env, HOLM_TEST_TOTALS: file, HOLM_TEST_CONFORMANCE: conformanceRun, HOLM_TEST_RETRY: '1' },
    signal,
  )
  const totals = readTotals(file)
  rmSync(folder, { recursive: true, force: true })
  // vitest can fail without any test having failed: a threshold, a bad configuration, an interruption.
  return code !== 0 && totals.failed === 0 ? { ...totals, failed: 1 } : totals
}

/** Where the docs' table of what was seen to work is no longer what the tests see. */
function listDrift(): string[] {
  const run = readConformance(conformanceRun)
  return run === undefined ? [] : compareConformance(readConformance(conformanceRecord) ?? {}, run)
}

function runVitest(args: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<number> {
  if (signal.aborted) return Promise.resolve(130)
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  // A group of its own: vitest would wait for its workers, so an interruption has to reach those as well.
  const detached = process.platform !== 'win32'
  const child = spawn(process.execPath, [vitest, 'run', ...args], {
    cwd: root,
    env,
    stdio: 'inherit',
    detached,
  })
  signal.addEventListener('abort', () => endGroup(child))
  child.on('error', reject)
  child.on('close', (code) => resolve(code ?? 130))
  return promise
}

function endGroup(child: ChildProcess): void {
  const send = (name: NodeJS.Signals): void => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    if (process.platform === 'win32') child.kill(name)
    else process.kill(-child.pid, name)
  }
  send('SIGTERM')
  setTimeout(() => send('SIGKILL'), 5_000).unref()
}

function readTotals(file: string): Totals {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Totals
  } catch {
    return nothing
  }
}

process.exitCode = await main()
