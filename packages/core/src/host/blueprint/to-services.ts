import { omitUndefined } from './omit-undefined.ts'
import { HolmError } from '../../errors.ts'
import { didYouMean } from '../did-you-mean.ts'
import { isBlankCommand, toCommand } from './parse-commands.ts'
import { parseDuration } from './parse-quantity.ts'
import { parsePort, uniquePorts } from './parse-ports.ts'
import { toEnvironment } from './to-environment.ts'
import type { BlueprintService } from '../../blueprint.ts'
import type { HealthCheck, ServiceSpec } from '../../spec.ts'

type Services = Readonly<Record<string, BlueprintService>>

/**
 * Services in the order they can be started in: dependencies first, otherwise as written. Throws HOLM_BLUEPRINT_INVALID for
 * unknown dependencies and HOLM_BLUEPRINT_CYCLE with the names of the circle.
 */
export function toServices(services: Services = {}): readonly ServiceSpec[] {
  assertDependencies(services)
  return orderServices(services).flatMap((name) => {
    const service = services[name]
    return service === undefined ? [] : [toService(name, service)]
  })
}

/** Where programs inside find the services that run beside them: the first port of each. */
export function serviceVariables(services: readonly ServiceSpec[]): Record<string, string> {
  const entries = services.flatMap(({ name, command, ports: [port] }) => {
    if (command === undefined || port === undefined) return []
    const prefix = `HOLM_SERVICE_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`
    return [
      [`${prefix}_HOST`, '127.0.0.1'],
      [`${prefix}_PORT`, String(port.container)],
      [`${prefix}_URL`, `http://127.0.0.1:${port.container}`],
    ]
  })
  return Object.fromEntries(entries) as Record<string, string>
}

function assertDependencies(services: Services): void {
  const names = Object.keys(services)
  for (const [name, service] of Object.entries(services)) {
    for (const wanted of service.depends_on ?? []) {
      if (names.includes(wanted)) continue
      throw invalid(
        name,
        `depends on ${JSON.stringify(wanted)}, which is no service${didYouMean(wanted, names)}`,
      )
    }
  }
}

function orderServices(services: Services): string[] {
  const ordered = new Set<string>()
  const visit = (name: string, chain: readonly string[]): void => {
    if (chain.includes(name)) throw cycle([...chain.slice(chain.indexOf(name)), name])
    if (ordered.has(name)) return
    for (const wanted of services[name]?.depends_on ?? []) visit(wanted, [...chain, name])
    ordered.add(name)
  }
  for (const name of Object.keys(services)) visit(name, [])
  return [...ordered]
}

function toService(name: string, service: BlueprintService): ServiceSpec {
  const { command, image, healthcheck } = service
  const hasCommand = command !== undefined && !isBlankCommand(command)
  if (!/^[A-Za-z0-9][\w.-]{0,62}$/.test(name))
    throw invalid(name, 'needs a name of letters, digits, ".", "_" and "-", up to 63 of them')
  if (!hasCommand && image === undefined) throw invalid(name, 'has neither a command nor an image')
  return {
    name,
    ...(hasCommand ? { command: toCommand(command) } : {}),
    ...omitUndefined({ image }),
    env: toEnvironment(service.environment),
    ports: uniquePorts((service.ports ?? []).flatMap((port) => parsePort(port))),
    dependsOn: [...new Set(service.depends_on)],
    ...(healthcheck === undefined ? {} : { healthCheck: toHealthCheck(name, healthcheck) }),
    restart: service.restart ?? 'no',
  }
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
