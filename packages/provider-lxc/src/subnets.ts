/** IPv4 by numbers. Everything here is pure. */
export interface Subnet {
  /** Address of the network, as a number. */
  readonly network: number
  readonly prefix: number
}

export function parseAddress(text: string): number {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}

export function sizeOf(prefix: number): number {
  return 2 ** (32 - prefix)
}

export function subnetOf(address: string, prefix: number): Subnet {
  const value = parseAddress(address)
  return { network: value - (value % sizeOf(prefix)), prefix }
}

export function overlaps(one: Subnet, other: Subnet): boolean {
  return (
    one.network < other.network + sizeOf(other.prefix) && other.network < one.network + sizeOf(one.prefix)
  )
}

/** Networks that this machine has a way to, from /proc/net/route; the default route is no network. */
export function parseRoutes(text: string): Subnet[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length >= 8 && fields[7] !== '00000000')
    .map((fields) => ({
      network: littleEndian(fields[1] ?? ''),
      prefix: ones(littleEndian(fields[7] ?? '')),
    }))
}

function littleEndian(hex: string): number {
  return (hex.match(/../g) ?? []).toReversed().reduce((sum, byte) => sum * 256 + Number.parseInt(byte, 16), 0)
}

function ones(value: number): number {
  return value.toString(2).replaceAll('0', '').length
}

/** Networks of holm lie in 10.213.0.0/16: none of the usual defaults of routers, engines and VPNs. */
const pool = parseAddress('10.213.0.0')
const poolSize = 256

/** A free /24, looked for from a place that depends on `seed`, so that two holms seldom want the same one. */
export function chooseSubnet(taken: readonly Subnet[], seed: number): Subnet | undefined {
  for (let step = 0; step < poolSize; step += 1) {
    const candidate = { network: pool + ((seed + step) % poolSize) * 256, prefix: 24 }
    if (!taken.some((each) => overlaps(each, candidate))) return candidate
  }
  return undefined
}

/** A free address: from the bottom in a network of our own, from the top where somebody else hands out addresses, too. */
export function chooseAddress(
  subnet: Subnet,
  taken: ReadonlySet<string>,
  from: 'bottom' | 'top',
): string | undefined {
  const last = sizeOf(subnet.prefix) - 2
  for (let step = 0; step < last; step += 1) {
    const address = formatAddress(subnet.network + (from === 'bottom' ? 2 + step : last - step))
    if (step < last - 1 && !taken.has(address)) return address
  }
  return undefined
}
