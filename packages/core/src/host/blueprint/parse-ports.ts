import { invalidQuantity } from './parse-quantity.ts'
import type { BlueprintPort } from '../../blueprint.ts'
import type { PortRequest } from '../../spec.ts'

const localhost = '127.0.0.1'
const form = 'a port such as 8080, "8080:80", "8000-8010:8000-8010" or "0.0.0.0:8080:80/udp"'
const mostOfRange = 100

/**
 * One entry of `ports` to requests. A bare number publishes the same port on this machine; host port 0, or an object
 * without `host`, lets the provider pick a free one; a range becomes one request for each port.
 * Throws HOLM_BLUEPRINT_INVALID.
 */
export function parsePort(value: number | string | BlueprintPort): readonly PortRequest[] {
  if (typeof value === 'object') {
    const { container, host, hostIp = localhost, protocol = 'tcp' } = value
    return [{ container, ...(host ? { host } : {}), hostIp, protocol }]
  }
  const match = portForm.exec(String(value).trim())
  if (match === null) throw invalidQuantity(value, form)
  const [, address, hostText, containerText = '', protocol] = match
  const container = parseRange(containerText, value)
  const host = parseHost(hostText, container, value)
  const common = {
    hostIp: parseAddress(address, value),
    protocol: protocol?.toLowerCase() === 'udp' ? 'udp' : 'tcp',
  } as const
  return container.map((port, index) => ({
    container: port,
    ...(host[index] ? { host: host[index] } : {}),
    ...common,
  }))
}

/** [address:][host:]container[/protocol]; an address needs a colon after the host's part, which may be empty. */
const portForm =
  /^(?:(\[[\da-fA-F:.]+\]|[\d.]+|\*):(?=[^/]*:|:))?(?:(\d*(?:-\d+)?):)?(\d+(?:-\d+)?)(?:\/(tcp|udp))?$/i

/** Nothing before the colon: free ports. No colon: the same ports. */
function parseHost(
  text: string | undefined,
  container: readonly number[],
  value: unknown,
): readonly number[] {
  if (text === undefined) return container
  if (text === '') return []
  const host = parseRange(text, value, 0)
  if (host.length !== container.length) throw invalidQuantity(value, 'two port ranges of equal length')
  return host
}

function parseRange(text: string, value: unknown, lowest = 1): number[] {
  const [first = Number.NaN, last = first] = text.split('-').map(Number)
  if (!(first >= lowest && last <= 65_535 && first <= last))
    throw invalidQuantity(value, `${form}, each between 1 and 65535`)
  if (last - first >= mostOfRange) throw invalidQuantity(value, `a range of at most ${mostOfRange} ports`)
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

function parseAddress(address: string | undefined, value: unknown): string {
  if (address === undefined) return localhost
  if (address === '*') return '0.0.0.0'
  if (address.startsWith('[')) return address.slice(1, -1)
  const octets = address.split('.').map(Number)
  if (octets.length !== 4 || octets.some((octet) => octet > 255)) throw invalidQuantity(value, form)
  return address
}

/** An entry of `expose`: 5432, "5432" or "5432/tcp". */
export function parseExposed(value: number | string): number {
  const match = /^(\d{1,5})(?:\/(?:tcp|udp))?$/i.exec(String(value).trim())
  const port = Number(match?.[1])
  if (!(port >= 1 && port <= 65_535)) throw invalidQuantity(value, 'a port between 1 and 65535')
  return port
}

/** Drops repetitions; the first one keeps its place. */
export function uniquePorts(ports: readonly PortRequest[]): PortRequest[] {
  const seen = new Set<string>()
  return ports.filter((port) => {
    const key = `${port.hostIp} ${port.host ?? ''} ${port.container} ${port.protocol}`
    return !seen.has(key) && seen.add(key)
  })
}
