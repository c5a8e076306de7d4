import { setTimeout } from 'node:timers/promises'
import { HolmError, assertNotAborted } from '@holm/core'
import type { HealthCheck, ServiceSpec } from '@holm/core'
import { statusOf, wayOf, type Served, type ServiceWay } from './ways.ts'

/** A service of an environment, and how it is run. */
interface Running {
  readonly served: Served
  readonly service: ServiceSpec
  readonly way: ServiceWay
}

/**
 * Starts what does not run, in the order of dependencies, each healthy before those that need it. HOLM_SERVICE_FAILED names
 * the service, the reason and its last lines; those started before it go on.
 */
export async function startServices(served: Served, names?: readonly string[]): Promise<void> {
  const { services } = served.environment
  const wanted = withDependencies(services, names)
  const known = new Map((await statusOf(served)).map((status) => [status.name, status]))
  for (const service of services) {
    const status = known.get(service.name)
    if (status === undefined || !wanted.has(service.name)) continue
    if (status.state === 'running' || status.state === 'waiting') continue
    // What ended well was a task: it is done again only when it is asked for.
    if (status.state === 'exited' && status.exitCode === 0 && names === undefined) continue
    await withStep(served, service.name, () => startService({ served, service, way: wayOf(served, service) }))
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

async function startService(running: Running): Promise<void> {
  const { service, way } = running
  const problem = await way.start()
  if (problem !== undefined) throw await failed(running, `it could not be started: ${problem}`)
  if (service.healthCheck) await awaitHealthy(running, service.healthCheck)
  else if (service.task === true) await awaitDone(running)
  else await awaitStarted(running)
}

/** Long enough to see a program that ends at once. */
const settleMs = 200

async function awaitStarted(running: Running): Promise<void> {
  await pause(running, settleMs)
  await assertAlive(running)
}

async function pause({ served: { signal } }: Running, ms: number): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => undefined)
  assertNotAborted(signal)
}

/** A program that has ended will not become healthy; one that ended well and is not restarted was a task, and is done. */
async function assertAlive(running: Running): Promise<void> {
  const status = await running.way.status()
  if (status?.state === 'running') return
  if (status?.state === 'exited' && status.exitCode === 0) return
  throw await failed(running, `it ended with ${status?.exitCode ?? 'an unknown code'}`)
}

/** Others need what it does, not that it runs. */
async function awaitDone(running: Running): Promise<void> {
  for (;;) {
    const status = await running.way.status()
    if (status?.state !== 'running' && status?.state !== 'waiting') return assertAlive(running)
    await pause(running, settleMs)
  }
}

async function awaitHealthy(running: Running, check: HealthCheck): Promise<void> {
  const begin = Date.now()
  for (let failures = 0; ;) {
    const problem = await running.way.probe(check)
    assertNotAborted(running.served.signal)
    if (problem === undefined) return
    if (Date.now() - begin >= check.startPeriodMs) failures += 1
    if (failures >= check.retries) throw await failed(running, `it did not become healthy: ${problem}`)
    if (running.service.restart === 'no') await assertAlive(running)
    await pause(running, check.intervalMs)
  }
}

const shownLines = 10

async function failed({ served, service, way }: Running, reason: string): Promise<HolmError> {
  const { name: environment } = served.environment
  const lines = await way.tail(shownLines)
  return new HolmError(
    'HOLM_SERVICE_FAILED',
    `service ${service.name}: ${reason}${lines === '' ? '' : `\n${lines}`}`,
    {
      hint: `See all of it: holm service logs ${service.name} -e ${environment}`,
      details: { environment, service: service.name },
    },
  )
}

/** In the reverse order, so that nothing loses what it needs; those that need a named one end with it. */
export async function stopServices(served: Served, names?: readonly string[]): Promise<void> {
  const { services } = served.environment
  const wanted = withDependents(services, names)
  for (const service of services.toReversed())
    if (wanted.has(service.name)) await wayOf(served, service).stop()
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
