import { setTimeout } from 'node:timers/promises'
import { HolmError, assertNotAborted } from '@holm/core'
import type { EnvironmentInfo, HealthCheck, ServiceSpec } from '@holm/core'
import { argvOf, probeHealth } from './health.ts'
import { ask, deadlineCode, script, type Exec } from './inside.ts'
import { halt, launch, look, supervisor, tailLog } from './scripts.ts'
import { parseLook, type ServiceStatus } from './state.ts'

/** A running environment, and a way in. */
export interface Served {
  readonly environment: EnvironmentInfo
  readonly signal: AbortSignal
  readonly exec: Exec
  /** Names what is being waited for. */
  step?<Result>(name: string, work: () => Promise<Result>): Promise<Result>
}

/** How long a service has to end after SIGTERM, tenths of a second. */
const graceTenths = 100

/** How long an environment has to say what became of its services. */
const answerMs = 15_000

function unanswered(
  { name }: EnvironmentInfo,
  { code, stderr }: { readonly code: number; readonly stderr: string },
): HolmError {
  if (code !== deadlineCode)
    return new HolmError(
      'HOLM_COMMAND_FAILED',
      `the services of ${name} cannot be seen: ${stderr.trim() || `code ${code}`}`,
      {
        hint: `Look inside: holm shell ${name}`,
        details: { environment: name, code },
      },
    )
  return new HolmError(
    'HOLM_TIMEOUT',
    `${name} has not said within ${answerMs / 1000} s what its services do`,
    {
      hint: `It may hang or be frozen: holm status ${name}`,
      details: { environment: name },
    },
  )
}

/** Services that are made from an image are not run yet. */
export function isRun({ command }: ServiceSpec): boolean {
  return command !== undefined
}

export async function statusOf({ environment, exec }: Served): Promise<ServiceStatus[]> {
  const services = environment.services.filter(isRun)
  if (services.length === 0) return []
  const { code, stdout, stderr } = await ask(exec, script(look, []), answerMs)
  if (code !== 0) throw unanswered(environment, { code, stderr })
  return parseLook(stdout, services)
}

/**
 * Starts what does not run, in the order of dependencies, each healthy before those that need it. HOLM_SERVICE_FAILED names
 * the service, the reason and its last lines; those started before it go on.
 */
export async function startServices(served: Served, names?: readonly string[]): Promise<void> {
  const { environment } = served
  const wanted = withDependencies(environment.services, names)
  const known = new Map((await statusOf(served)).map((status) => [status.name, status]))
  for (const service of environment.services) {
    if (!isRun(service) || !wanted.has(service.name)) continue
    const status = known.get(service.name)
    if (status?.state === 'running' || status?.state === 'waiting') continue
    // What ended well was a task: it is done again only when it is asked for.
    if (status?.state === 'exited' && status.exitCode === 0 && names === undefined) continue
    await withStep(served, service.name, () => startService(served, service))
  }
}

function withStep(served: Served, name: string, work: () => Promise<void>): Promise<void> {
  return served.step === undefined ? work() : served.step(`service ${name}`, work)
}

/** Everything that the named ones need, and they themselves; all without names. */
function withDependencies(
  services: readonly ServiceSpec[],
  names: readonly string[] | undefined,
): ReadonlySet<string> {
  if (names === undefined) return new Set(services.map(({ name }) => name))
  const wanted = new Set<string>()
  const add = (name: string): void => {
    if (wanted.has(name)) return
    wanted.add(name)
    for (const needed of services.find((service) => service.name === name)?.dependsOn ?? []) add(needed)
  }
  for (const name of names) add(name)
  return wanted
}

async function startService(served: Served, service: ServiceSpec): Promise<void> {
  const { exec } = served
  const { name, command, restart, env } = service
  if (command === undefined) return
  const request = script(launch, [supervisor, name, markOf(name), restart, ...argvOf(command)])
  const { code, stderr } = await ask(exec, { ...request, env }, answerMs)
  if (code !== 0)
    throw await failed(served, service, `it could not be started: ${stderr.trim() || `code ${code}`}`)
  await (service.healthCheck
    ? awaitHealthy(served, service, service.healthCheck)
    : awaitStarted(served, service))
}

/** Long enough to see a program that ends at once. */
const settleMs = 200

async function awaitStarted(served: Served, service: ServiceSpec): Promise<void> {
  await setTimeout(settleMs, undefined, { signal: served.signal }).catch(() => undefined)
  assertNotAborted(served.signal)
  await assertAlive(served, service)
}

/** A program that has ended will not become healthy; one that ended well and is not restarted was a task, and is done. */
async function assertAlive(served: Served, service: ServiceSpec): Promise<void> {
  const status = (await statusOf(served)).find(({ name }) => name === service.name)
  if (status?.state === 'running') return
  if (status?.state === 'exited' && status.exitCode === 0) return
  throw await failed(served, service, `it ended with ${status?.exitCode ?? 'an unknown code'}`)
}

async function awaitHealthy(served: Served, service: ServiceSpec, check: HealthCheck): Promise<void> {
  const { environment, exec, signal } = served
  const begin = Date.now()
  for (let failures = 0; ;) {
    const problem = await probeHealth(check, { exec, environment, env: service.env, signal })
    assertNotAborted(signal)
    if (problem === undefined) return
    if (Date.now() - begin >= check.startPeriodMs) failures += 1
    if (failures >= check.retries)
      throw await failed(served, service, `it did not become healthy: ${problem}`)
    if (service.restart === 'no') await assertAlive(served, service)
    await setTimeout(check.intervalMs, undefined, { signal }).catch(() => undefined)
    assertNotAborted(signal)
  }
}

const shownLines = 10

async function failed(
  { exec, environment }: Served,
  { name }: ServiceSpec,
  reason: string,
): Promise<HolmError> {
  const { stdout } = await ask(exec, script(tailLog, [name, '-n', String(shownLines)]), answerMs)
  const lines = stdout.trimEnd()
  return new HolmError(
    'HOLM_SERVICE_FAILED',
    `service ${name}: ${reason}${lines === '' ? '' : `\n${lines}`}`,
    {
      hint: `See all of it: holm service logs ${name} -e ${environment.name}`,
      details: { environment: environment.name, service: name },
    },
  )
}

/** In the reverse order, so that nothing loses what it needs; those that need a named one end with it. */
export async function stopServices(served: Served, names?: readonly string[]): Promise<void> {
  const { environment, exec } = served
  const wanted = withDependents(environment.services, names)
  for (const { name } of environment.services.filter(isRun).toReversed()) {
    if (!wanted.has(name)) continue
    const request = script(halt, [name, markOf(name), String(graceTenths)])
    const { code, stderr } = await ask(exec, request, graceTenths * 100 + answerMs)
    if (code !== 0) throw unanswered(environment, { code, stderr })
  }
}

function withDependents(
  services: readonly ServiceSpec[],
  names: readonly string[] | undefined,
): ReadonlySet<string> {
  if (names === undefined) return new Set(services.map(({ name }) => name))
  const wanted = new Set(names)
  // Services are in an order in which each comes after what it needs.
  for (const { name, dependsOn } of services)
    if (dependsOn.some((needed) => wanted.has(needed))) wanted.add(name)
  return wanted
}

function markOf(name: string): string {
  return `holm-service-${name}`
}
