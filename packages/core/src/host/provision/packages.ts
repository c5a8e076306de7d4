import { setTimeout as wait } from 'node:timers/promises'
import { HolmError } from '../../errors.ts'
import { commandFailed, createLineStream, lastLines } from './output.ts'
import { plainName } from './managers.ts'
import type { InsideResult, Reporter } from './inside.ts'
import type { Machine } from './machine.ts'
import type { PackageManager } from './managers.ts'
import type { RunAsRoot } from './privilege.ts'

export interface PackageContext {
  readonly asRoot: RunAsRoot
  readonly machine: Machine
  readonly reporter: Reporter
  /** Milliseconds before the one retry after a lock or a transient failure. */
  readonly retryDelayMs: number
  readonly signal: AbortSignal | undefined
  /** The base is this machine itself: what is missing cannot be installed from inside. */
  readonly shared: boolean
}

// A leading dash would be an option, a trailing one tells apt to remove; the rest is what a shell would touch.
const packageName = /^[A-Za-z0-9@_][A-Za-z0-9@._+:=~/^-]*$/

const transient =
  /could not get lock|unable to lock|another app is currently holding|system management is locked|temporary failure|temporary error|timed out|connection reset|hash sum mismatch|resource temporarily unavailable| 50[234] /i

const unreachable =
  /failed to fetch|could not resolve|temporary failure resolving|could not connect|network is unreachable|unable to connect|dns lookup error|network error|temporary error \(try again later\)|unable to (?:fetch|select) .*: (?:dns|network)|cannot download repomd|curl error|failed to download metadata|failed to retrieve|failed to synchronize|cannot prepare internal mirrorlist|download \(curl\) error|no route to host|cannot initiate the connection/i

/** HOLM_BLUEPRINT_INVALID for a name that could be taken for an option or anything but a package. */
export function assertPackageNames(names: readonly string[]): void {
  const wrong = names.find((name) => !packageName.test(name) || name.endsWith('-'))
  if (wrong === undefined) return
  throw new HolmError('HOLM_BLUEPRINT_INVALID', `"${wrong}" is no package name`, {
    hint: 'Write one package per entry: letters, digits and . _ + : = ~ / - only, no leading or trailing dash.',
    details: { key: 'packages', value: wrong },
  })
}

/** The manager of the machine, or HOLM_COMMAND_FAILED that names what was looked for. */
export function requireManager(manager: PackageManager | undefined, what: string): PackageManager {
  if (manager) return manager
  throw new HolmError(
    'HOLM_COMMAND_FAILED',
    `${what} cannot be installed: no apt-get, apk, dnf, zypper or pacman inside`,
    {
      hint: 'Use a base with a package manager, or one that already has what the blueprint installs.',
    },
  )
}

/** The error for what a base that is this machine itself does not have. */
export function notOnThisMachine(what: string): HolmError {
  return new HolmError(
    'HOLM_COMMAND_FAILED',
    `${what}: not installed on this machine, whose files the environment only reads`,
    {
      hint: 'Install it on this machine, or use another base (--base debian-12) or provider.',
      details: { missing: what },
    },
  )
}

/** Which of the packages are not installed yet; one exec. */
export async function resolveMissing(
  packages: readonly string[],
  manager: PackageManager,
  asRoot: RunAsRoot,
): Promise<readonly string[]> {
  const result = await asRoot({ argv: manager.queryInstalled(packages), env: manager.env })
  const installed = manager.parseInstalled(result.stdout)
  // A version that was asked for is left to the manager to compare.
  return packages.filter((name) => name !== plainName(name) || !installed.has(name))
}

/** Installs the packages, refreshing the lists only when there are none or the first try did not know a package. */
export async function installPackages(
  packages: readonly string[],
  manager: PackageManager,
  context: PackageContext,
): Promise<void> {
  const install = manager.install(packages)
  let refreshed = context.machine.hasLists ? undefined : await refreshLists(manager, context)
  let result = await runTwice(install, manager, context)
  if (result.code !== 0 && refreshed === undefined) {
    refreshed = await refreshLists(manager, context)
    if (refreshed !== undefined) result = await runTwice(install, manager, context)
  }
  if (result.code !== 0) throw installFailed(packages, manager, mergeOutput(refreshed, result))
  const clean = manager.clean()
  if (clean) await context.asRoot({ argv: clean })
}

async function refreshLists(
  manager: PackageManager,
  context: PackageContext,
): Promise<InsideResult | undefined> {
  const argv = manager.refresh()
  return argv && (await runTwice(argv, manager, context))
}

/** Runs it, and once more when the first run failed for a cause that passes. */
async function runTwice(
  argv: readonly string[],
  manager: PackageManager,
  context: PackageContext,
): Promise<InsideResult> {
  const lines = createLineStream(context.reporter)
  const run = async (): Promise<InsideResult> => {
    const result = await context.asRoot({ argv, env: manager.env }, lines.push)
    lines.flush()
    return result
  }
  const first = await run()
  if (first.code === 0 || !transient.test(first.stdout + first.stderr)) return first
  context.reporter.warn(`${manager.program} failed for a cause that may pass; trying once more`)
  await wait(context.retryDelayMs, undefined, context.signal ? { signal: context.signal } : {}).catch(
    () => undefined,
  )
  return run()
}

/** apt ends with 0 when it could not fetch its lists, so the cause is often in the output of the refresh. */
function mergeOutput(refreshed: InsideResult | undefined, result: InsideResult): InsideResult {
  if (!refreshed) return result
  return {
    ...result,
    stderr: `${refreshed.stderr}\n${result.stderr}`,
    stdout: `${refreshed.stdout}\n${result.stdout}`,
  }
}

function installFailed(
  packages: readonly string[],
  manager: PackageManager,
  result: InsideResult,
): HolmError {
  const output = `${result.stderr}\n${result.stdout}`
  const details = { packages, manager: manager.program, code: result.code, output: lastLines(result) }
  if (unreachable.test(output)) {
    const message = `${manager.program} cannot reach its package source to install ${packages.join(', ')}\n${lastLines(result)}`
    const hint = 'Give the environment a network, or use a base that already has these packages.'
    return new HolmError('HOLM_COMMAND_FAILED', message, { hint, details })
  }
  const unknown = manager.parseUnknown(output)
  if (unknown !== undefined) {
    const message = `package ${unknown} is not known to ${manager.program}\n${lastLines(result)}`
    return new HolmError('HOLM_COMMAND_FAILED', message, {
      hint: `Correct the name under packages, or add the package source that has it in scripts.setup.`,
      details: { ...details, package: unknown },
    })
  }
  return commandFailed(`${manager.program} installing ${packages.join(', ')}`, result)
}
