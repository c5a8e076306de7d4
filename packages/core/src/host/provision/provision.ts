import {
  assertPackageNames,
  installPackages,
  notOnThisMachine,
  requireManager,
  resolveMissing,
} from './packages.ts'
import { createRunAsRoot } from './privilege.ts'
import { probeMachine } from './machine.ts'
import { runScripts } from './scripts.ts'
import { selectManager } from './managers.ts'
import { assertTool } from './tools/version.ts'
import { writeEnvironment } from './environment.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import type { Inside, Reporter } from './inside.ts'
import type { PackageContext } from './packages.ts'
import type { ToolContext } from './tools/install.ts'

export interface ProvisionOptions {
  /** Runs as the environment's administrator unless a request names a user: root wherever the runtime has one. */
  readonly inside: Inside
  readonly reporter: Reporter
  readonly signal?: AbortSignal
  /** Base addresses by tool, in place of the makers' own. */
  readonly mirrors?: ToolContext['mirrors']
  /** Milliseconds before the one retry after a lock or a transient failure. */
  readonly retryDelayMs?: number
  readonly fetch?: typeof globalThis.fetch
}

type ProvisionSpec = Pick<EnvironmentSpec, 'provision' | 'env' | 'base'>

/**
 * Installs what a spec asks for: packages, tools, setup, environment, postInstall. Nothing asked, nothing run.
 * `inside` runs as the environment's administrator: root wherever the runtime has one.
 */
export function provision(spec: ProvisionSpec, inside: Inside, reporter: Reporter): Promise<void> {
  return provisionWith(spec, { inside, reporter })
}

/** `provision` with everything that can be set. */
export async function provisionWith(spec: ProvisionSpec, options: ProvisionOptions): Promise<void> {
  const { packages, tools, setup, postInstall, docker = false } = spec.provision
  assertPackageNames(packages)
  for (const [name, version] of Object.entries(tools)) assertTool(name, version)
  const installs =
    docker || packages.length + Object.keys(tools).length + setup.length + postInstall.length > 0
  if (!installs) return exportEnvironment(spec, options)
  const context = await options.reporter.step('inspect', () => openContext(spec, options))
  await provisionPackages(packages, context)
  await provisionTools(tools, context, options)
  await runScripts('setup', setup, context)
  if (docker) await installDocker(context)
  await exportEnvironment(spec, options, context)
  await runScripts('postInstall', postInstall, context)
}

async function openContext({ base }: ProvisionSpec, options: ProvisionOptions): Promise<PackageContext> {
  const { inside, reporter, signal, retryDelayMs = 2000 } = options
  const machine = await probeMachine(inside)
  const shared = base.kind === 'host'
  // Nothing can be installed into this machine from inside, so nobody has to be root there.
  const asRoot = shared ? inside.run : createRunAsRoot(inside, machine)
  return { asRoot, machine, reporter, signal, retryDelayMs, shared }
}

async function provisionPackages(packages: readonly string[], context: PackageContext): Promise<void> {
  if (packages.length === 0) return
  const manager = requireManager(selectManager(context.machine), packages.join(', '))
  const missing = await resolveMissing(packages, manager, context.asRoot)
  if (missing.length === 0) return context.reporter.skip('packages', `all ${packages.length} are installed`)
  if (context.shared) throw notOnThisMachine(missing.join(', '))
  await context.reporter.step('packages', () => installPackages(missing, manager, context))
}

async function installDocker(context: PackageContext): Promise<void> {
  const { provisionDocker } = await import('./docker.ts')
  await provisionDocker(context)
}

async function provisionTools(
  tools: Readonly<Record<string, string>>,
  context: PackageContext,
  { mirrors = {}, fetch = globalThis.fetch, signal }: ProvisionOptions,
): Promise<void> {
  if (Object.keys(tools).length === 0) return
  const { installTools } = await import('./tools/install.ts')
  const manager = selectManager(context.machine)
  await installTools(tools, { ...context, manager, mirrors, download: { fetch, signal } })
}

async function exportEnvironment(
  { env, base }: ProvisionSpec,
  { inside, reporter }: ProvisionOptions,
  context?: PackageContext,
): Promise<void> {
  if (Object.keys(env).length === 0) return
  if (base.kind === 'host')
    return reporter.skip('environment', 'the base is this machine, whose /etc is read-only inside')
  const asRoot = context?.asRoot ?? inside.run
  await writeEnvironment(env, asRoot, reporter)
}
