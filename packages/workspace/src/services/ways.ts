import { HolmError, isHolmError } from '@holm/core'
import type { CompanionInfo, Companions, EnvironmentInfo, HealthCheck, ServiceSpec } from '@holm/core'
import { argvOf, probeHealth } from './health.ts'
import { ask, deadlineCode, script, type Exec } from './inside.ts'
import { halt, launch, look, supervisor, tailLog } from './scripts.ts'
import { companionStatus, parseLook, type ServiceStatus } from './state.ts'

/** A running environment, and a way in. */
export interface Served {
  readonly environment: EnvironmentInfo
  readonly signal: AbortSignal
  readonly exec: Exec
  readonly companions: Companions
  /** Names what is being waited for. */
  step?<Result>(name: string, work: () => Promise<Result>): Promise<Result>
}

/** How one service is run: inside its environment, or beside it. */
export interface ServiceWay {
  /** Undefined once it was started, else why it could not be, one phrase. */
  start(): Promise<string | undefined>
  stop(): Promise<void>
  status(): Promise<ServiceStatus | undefined>
  /** Undefined when it is healthy, else why not, one phrase. */
  probe(check: HealthCheck): Promise<string | undefined>
  /** The last lines that it wrote. */
  tail(lines: number): Promise<string>
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

export function wayOf(served: Served, service: ServiceSpec): ServiceWay {
  return service.container === undefined ? insideWay(served, service) : besideWay(served, service)
}

/** All services in the order of the blueprint, asked once for each kind. */
export async function statusOf({ environment, exec, companions }: Served): Promise<ServiceStatus[]> {
  const { services } = environment
  const inside = services.filter(isInside)
  const known = new Map<string, ServiceStatus>()
  if (inside.length > 0)
    for (const status of await lookInside({ environment, exec }, inside)) known.set(status.name, status)
  const made = services.some(isBeside) ? await companions.list() : []
  for (const service of services.filter(isBeside)) {
    const info = made.find((each) => each.service === service.name)
    known.set(service.name, companionStatus(service, info, environment.startedAt))
  }
  return services.flatMap(({ name }) => known.get(name) ?? [])
}

export function isInside({ command, container }: ServiceSpec): boolean {
  return container === undefined && command !== undefined
}

function isBeside({ container }: ServiceSpec): boolean {
  return container !== undefined
}

async function lookInside(
  { environment, exec }: Pick<Served, 'environment' | 'exec'>,
  services: readonly ServiceSpec[],
): Promise<ServiceStatus[]> {
  const { code, stdout, stderr } = await ask(exec, script(look, []), answerMs)
  if (code !== 0) throw unanswered(environment, { code, stderr })
  return parseLook(stdout, services)
}

function insideWay({ environment, exec, signal }: Served, service: ServiceSpec): ServiceWay {
  const { name, command = { argv: ['true'] }, restart, env } = service
  const mark = `holm-service-${name}`
  return {
    async start() {
      const request = script(launch, [supervisor, name, mark, restart, ...argvOf(command)])
      const { code, stderr } = await ask(exec, { ...request, env }, answerMs)
      return code === 0 ? undefined : stderr.trim() || `code ${code}`
    },
    async stop() {
      const timeoutMs = graceTenths * 100 + answerMs
      const { code, stderr } = await ask(exec, script(halt, [name, mark, String(graceTenths)]), timeoutMs)
      if (code !== 0) throw unanswered(environment, { code, stderr })
    },
    status: async () => (await lookInside({ environment, exec }, [service]))[0],
    probe: (check) => probeHealth(check, { exec, environment, env, signal }),
    async tail(lines) {
      const { stdout } = await ask(exec, script(tailLog, [name, '-n', String(lines)]), answerMs)
      return stdout.trimEnd()
    },
  }
}

function besideWay({ environment, companions, signal }: Served, service: ServiceSpec): ServiceWay {
  const { name } = service
  const find = async (): Promise<CompanionInfo | undefined> =>
    (await companions.list()).find((each) => each.service === name)
  return {
    async start() {
      await companions.up(name)
      return undefined
    },
    stop: () => companions.stop(name),
    status: async () => companionStatus(service, await find(), environment.startedAt),
    async probe(check) {
      const info = await find()
      if (info?.status !== 'running') return 'it does not run'
      const exec: Exec = (request) => companions.exec(name, request)
      return probeUnlessEnded(() => probeHealth(check, { exec, environment: info, env: {}, signal }))
    },
    tail: (lines) => collectLog(companions, name, lines),
  }
}

/** It may end, and be started again by the runtime, while it is asked. */
async function probeUnlessEnded(probe: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await probe()
  } catch (error) {
    if (!isHolmError(error, 'HOLM_ENVIRONMENT_NOT_RUNNING') && !isHolmError(error, 'HOLM_ENVIRONMENT_BUSY'))
      throw error
    return 'it does not run'
  }
}

async function collectLog(companions: Companions, name: string, lines: number): Promise<string> {
  const chunks: Uint8Array[] = []
  try {
    for await (const { data } of companions.logs(name, { follow: false, tail: lines })) chunks.push(data)
  } catch {
    // What it wrote would only have explained another error.
  }
  return Buffer.concat(chunks).toString('utf8').trimEnd()
}
