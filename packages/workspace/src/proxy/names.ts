import type { EnvironmentInfo } from '@holm/core'

/** A name that a browser can open, and where it leads on this machine. */
export interface ProxyName {
  /** Without the port: `web.shop.localhost`. Every system resolves names that end so to itself. */
  readonly host: string
  readonly target: string
}

type Subject = Pick<EnvironmentInfo, 'name' | 'ports' | 'services' | 'partOf'>

/** The environment that a service is, where it runs beside its own. */
export function homeOf<Info extends Subject>(
  environments: readonly Info[],
  environment: string,
  service: string,
): Info | undefined {
  return environments.find(({ partOf }) => partOf?.environment === environment && partOf.service === service)
}

/**
 * The names of the running environments: `<service>.<environment>.localhost` for each service with a port,
 * `<port>.<environment>.localhost` for each published port, and `<environment>.localhost` for the first of them. A service that
 * runs beside its environment has the name that it would have inside.
 */
export function namesOf(environments: readonly Subject[]): ProxyName[] {
  return environments.flatMap((environment) => {
    const ports = environment.ports.filter(({ protocol }) => protocol === 'tcp')
    const targetOf = (container: number, among: EnvironmentInfo['ports'] = ports): string | undefined => {
      const found = among.find((port) => port.container === container && port.protocol === 'tcp')
      return found && `http://${reachable(found.hostIp)}:${found.host}`
    }
    const services = environment.services.flatMap((service) => {
      const home = homeOf(environments, environment.name, service.name)
      const target = service.ports
        .map(({ container }) => targetOf(container, home?.ports))
        .find((each) => each !== undefined)
      return target === undefined ? [] : [{ host: hostOf(service.name, environment.name), target }]
    })
    const numbers = ports.map((port) => ({
      host: hostOf(String(port.container), environment.name),
      target: targetOf(port.container) ?? '',
    }))
    const [first] = [...services, ...numbers]
    return [
      ...services,
      ...numbers,
      ...(first ? [{ host: `${environment.name}.localhost`, target: first.target }] : []),
    ]
  })
}

function hostOf(part: string, environment: string): string {
  return `${part.toLowerCase().replaceAll(/[^a-z0-9-]+/g, '-')}.${environment}.localhost`
}

/** The environment that a name leads to, if any: `fix` of `web.fix.localhost`. */
export function environmentOf(host: string): string | undefined {
  return /(?:^|\.)([^.]+)\.localhost$/.exec(host)?.[1]
}

/** An address that listens for everybody is asked on this machine's own. */
function reachable(hostIp: string): string {
  if (hostIp === '0.0.0.0' || hostIp === '::' || hostIp === '') return '127.0.0.1'
  return hostIp.includes(':') ? `[${hostIp}]` : hostIp
}

/** The name in a Host header: lower case, without port and trailing dot. */
export function parseHost(header: string | undefined): string {
  return (header ?? '').toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '')
}
