import { HolmError } from '../../errors.ts'
import type { ServiceSpec } from '../../spec.ts'

/** The network that an environment shares with its services alone. */
export function serviceNetwork(environment: string): string {
  return `${environment}-services`
}

/**
 * What the blueprint names, else one of the environment's own where it has services made from images. HOLM_BLUEPRINT_INVALID
 * where the blueprint names one in which it could not reach them.
 */
export function networkOf(
  environment: string,
  services: readonly ServiceSpec[],
  wanted: string = 'default',
): string {
  const service = services.find(({ container }) => container !== undefined)
  if (service === undefined) return wanted
  if (wanted === 'default') return serviceNetwork(environment)
  if (wanted !== 'none' && wanted !== 'host') return wanted
  throw new HolmError(
    'HOLM_BLUEPRINT_INVALID',
    `network: the service ${service.name} is made from an image and cannot be reached in the network "${wanted}"`,
    { hint: 'Leave network out, or name one.', details: { path: 'network', service: service.name } },
  )
}

/** The environment's host name, and the services that run inside it. */
export function aliasesOf(hostname: string, services: readonly ServiceSpec[]): readonly string[] {
  const inside = services.filter(({ container }) => container === undefined)
  return [...new Set([hostname, ...inside.map(({ name }) => name)])]
}
