import { omitUndefined } from './omit-undefined.ts'
import { HolmError } from '../../errors.ts'
import { didYouMean } from '../did-you-mean.ts'
import { isBlankCommand, toCommand } from './parse-commands.ts'
import { parseDuration } from './parse-quantity.ts'
import { parsePort, uniquePorts } from './parse-ports.ts'
import { toEnvironment } from './to-environment.ts'
import { toVolume } from './parse-mounts.ts'
import type { BlueprintService } from '../../blueprint.ts'
import type { CommandSpec, HealthCheck, ServiceContainer, ServiceSpec } from '../../spec.ts'

type Services = Readonly<Record<string, BlueprintService>>

/**
 * Services in the order they can be started in: dependencies first, otherwise as written. Throws HOLM_BLUEPRINT_INVALID for
 * unknown dependencies and HOLM_BLUEPRINT_CYCLE with the names of the circle. `companions`: a service with an image is made from it;
 * else its command runs inside, if it has one.
 */
export function toServices(
  services: Services = {},
  { companions = true, others = [] }: ToServicesOptions = {},
): readonly ServiceSpec[] {
  const specs = Object.entries(services).map(([name, service]) => toService(name, service, companions))
  const twice = others.find(({ name }) => Object.hasOwn(services, name))
  if (twice) throw invalid(twice.name, 'is declared by the Compose file, too')
  return orderServices([...specs, ...others])
}

export interface ToServicesOptions {
  readonly companions?: boolean | undefined
  /** Services that were declared elsewhere: in a Compose file. */
  readonly others?: readonly ServiceSpec[]
}

/** Where programs inside find the services that run beside them: the first port of each. */
export function serviceVariables(services: readonly ServiceSpec[]): Record<string, string> {
  const entries = services.flatMap(({ name, container, ports: [port] }) => {
    if (port === undefined) return []
    const host = container === undefined ? '127.0.0.1' : name
    const prefix = `HOLM_SERVICE_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`
    return [
      [`${prefix}_HOST`, host],
      [`${prefix}_PORT`, String(port.container)],
      [`${prefix}_URL`, `http://${host}:${port.container}`],
    ]
  })
  return Object.fromEntries(entries) as Record<string, string>
}

function assertDependencies(services: readonly ServiceSpec[]): void {
  const names = services.map(({ name }) => name)
  for (const { name, dependsOn } of services) {
    for (const wanted of dependsOn) {
      if (names.includes(wanted)) continue
      throw invalid(
        name,
        `depends on ${JSON.stringify(wanted)}, which is no service${didYouMean(wanted, names)}`,
      )
    }
  }
}

function orderServices(services: readonly ServiceSpec[]): ServiceSpec[] {
  assertDependencies(services)
  const known = new Map(services.map((service) => [service.name, service]))
  const ordered = new Set<ServiceSpec>()
  const visit = (name: string, chain: readonly string[]): void => {
    if (chain.includes(name)) throw cycle([...chain.slice(chain.indexOf(name)), name])
    const service = known.get(name)
    if (service === undefined || ordered.has(service)) return
    for (const wanted of service.dependsOn) visit(wanted, [...chain, name])
    ordered.add(service)
  }
  for (const name of known.keys()) visit(name, [])
  return [...ordered]
}

function toService(name: string, service: BlueprintService, companions: boolean): ServiceSpec {
  const { image, healthcheck } = service
  assertService(name, service)
  const command = commandOf(service)
  const inside = image === undefined || (command !== undefined && !companions)
  return {
    name,
    ...(inside ? omitUndefined({ command }) : { container: toContainer(image, service) }),
    env: toEnvironment(service.environment),
    ports: uniquePorts((service.ports ?? []).flatMap((port) => parsePort(port))),
    dependsOn: [...new Set(service.depends_on)],
    ...(healthcheck === undefined ? {} : { healthCheck: toHealthCheck(name, healthcheck) }),
    restart: service.restart ?? 'no',
  }
}

function commandOf({ command }: BlueprintService): CommandSpec | undefined {
  return command === undefined || isBlankCommand(command) ? undefined : toCommand(command)
}

function assertService(name: string, service: BlueprintService): void {
  if (!/^[A-Za-z0-9][\w.-]{0,62}$/.test(name))
    throw invalid(name, 'needs a name of letters, digits, ".", "_" and "-", up to 63 of them')
  if (service.image !== undefined) return
  if (commandOf(service) === undefined) throw invalid(name, 'has neither a command nor an image')
  if (service.volumes !== undefined)
    throw invalid(name, 'has volumes but no image: what runs inside has those of the environment')
}

/** A string is given to a shell, which the image must have. */
function toContainer(image: string, service: BlueprintService): ServiceContainer {
  const command = commandOf(service)
  return {
    base: { kind: 'image', reference: image },
    ...(command && { args: argvOf(command) }),
    mounts: (service.volumes ?? []).map((volume) => toVolume(volume)),
  }
}

function argvOf(command: CommandSpec): readonly string[] {
  return 'shell' in command ? ['/bin/sh', '-c', command.shell] : command.argv
}

function toHealthCheck(name: string, check: NonNullable<BlueprintService['healthcheck']>): HealthCheck {
  const {
    url,
    port,
    command,
    interval = '2s',
    timeout = '5s',
    retries = 15,
    start_period: startPeriod = '0s',
  } = check
  const given = [url, port, command].filter((way) => way !== undefined)
  if (given.length !== 1)
    throw invalid(name, 'has a healthcheck that needs exactly one of url, port and command')
  const times = {
    intervalMs: parseDuration(interval),
    timeoutMs: parseDuration(timeout),
    retries,
    startPeriodMs: parseDuration(startPeriod),
  }
  if (url !== undefined) return { kind: 'http', url, ...times }
  if (port !== undefined) return { kind: 'tcp', port, ...times }
  return { kind: 'command', command: toCommand(command ?? ''), ...times }
}

function invalid(name: string, problem: string): HolmError {
  return new HolmError('HOLM_BLUEPRINT_INVALID', `services.${name}: the service ${problem}`, {
    hint: `Correct services.${name}.`,
    details: { path: `services.${name}` },
  })
}

function cycle(path: readonly string[]): HolmError {
  return new HolmError('HOLM_BLUEPRINT_CYCLE', `services depend on each other: ${path.join(' -> ')}`, {
    hint: `Remove one depends_on of ${path.slice(0, -1).join(', ')}.`,
    details: { path },
  })
}
