import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { HolmError } from '@holm/core'
import { hash } from './names.ts'

/** Networks that this machine uses or has a way to, as first address and number of fixed bits. */
export interface TakenNetwork {
  readonly address: number
  readonly bits: number
}

/**
 * Pure: a free /24 of 10.64.0.0/10, the same one for the same seed as long as it is free. That part is rarely used by companies,
 * clouds and other container tools.
 */
export function chooseSubnet(seed: string, taken: readonly TakenNetwork[]): string {
  const start = Number.parseInt(hash(seed, 6), 16)
  const count = 64 * 256
  for (let step = 0; step < count; step += 1) {
    const index = (start + step) % count
    const address = ((10 << 24) | ((64 + (index >> 8)) << 16) | ((index & 255) << 8)) >>> 0
    if (!taken.some((network) => overlap(network, { address, bits: 24 })))
      return `${formatAddress(address)}/24`
  }
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', 'no range of addresses is free for environments', {
    hint: 'Remove environments in networks that are no longer used, or use `network: host` or `network: none`.',
  })
}

/** Pure: "10.64.1.0/24" as numbers. */
export function parseSubnet(text: string): TakenNetwork {
  const [address = '', bits = '32'] = text.split('/')
  return {
    address: address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0),
    bits: Number(bits),
  }
}

function overlap(one: TakenNetwork, other: TakenNetwork): boolean {
  const bits = Math.min(one.bits, other.bits)
  // A way to everywhere is no network of anybody's.
  if (one.bits === 0) return false
  return one.address >>> (32 - bits) === other.address >>> (32 - bits)
}

function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}

/** Pure: /proc/net/route, whose numbers are of the machine's own byte order. */
export function parseRoutes(text: string): readonly TakenNetwork[] {
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length > 7)
    .map((fields) => ({ address: swapped(fields[1]), bits: countBits(swapped(fields[7])) }))
}

function swapped(hex = '0'): number {
  return Buffer.from(hex.padStart(8, '0'), 'hex').readUInt32LE()
}

function countBits(mask: number): number {
  return Math.clz32(~mask >>> 0)
}

export function loadTakenNetworks(): readonly TakenNetwork[] {
  const own = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .flatMap(({ family, cidr }) => {
      if (family !== 'IPv4' || cidr === null) return []
      return [parseSubnet(cidr)]
    })
  return [...own, ...parseRoutes(readFileSync('/proc/net/route', 'utf8'))]
}
