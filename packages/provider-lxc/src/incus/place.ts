import { randomInt } from 'node:crypto'
import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { reachableResolver } from '../etc-files.ts'
import { readText } from '../processes.ts'
import { isMissing } from './api-errors.ts'
import type { Address } from './build.ts'
import type { Client } from './client.ts'
import type { Device, IncusRecord, Instance } from './record.ts'

interface Profile {
  readonly devices: Readonly<Record<string, Device>>
}

interface Network {
  readonly name: string
  readonly type: string
  readonly managed: boolean
  readonly config: Readonly<Record<string, string>>
}

/** The storage that the daemon's default profile names, else the first there is. */
export async function findPool(client: Client, ctx: ProviderContext): Promise<string> {
  const { signal } = ctx
  const { devices } = await loadProfile(client, ctx)
  const named = Object.values(devices).find(({ type, path }) => type === 'disk' && path === '/')?.['pool']
  if (named !== undefined) return named
  const [first] = await client.get<readonly string[]>('/1.0/storage-pools', { signal })
  if (first !== undefined) return decodeURIComponent(first.split('/').at(-1) ?? '')
  throw noPool()
}

export function noPool(): HolmError {
  return new HolmError('HOLM_PROVIDER_UNAVAILABLE', 'the daemon has no storage pool', {
    hint: 'Set it up: `incus admin init --minimal`, or `lxd init --auto`.',
  })
}

async function loadProfile(client: Client, { signal }: ProviderContext): Promise<Profile> {
  try {
    return await client.get<Profile>('/1.0/profiles/default', { signal })
  } catch (error) {
    if (isMissing(error)) return { devices: {} }
    throw error
  }
}

/**
 * The daemon's network for what a blueprint asks: the default profile's, else its first bridge; by name, one that exists. Undefined for
 * `none` and `host`, and where the daemon has none at all.
 */
export async function findNetwork(
  client: Client,
  asked: string,
  ctx: ProviderContext,
): Promise<string | undefined> {
  if (asked === 'none' || asked === 'host') return undefined
  const networks = await client.get<readonly Network[]>('/1.0/networks?recursion=1', { signal: ctx.signal })
  if (asked !== 'default') {
    if (networks.some(({ name, managed }) => managed && name === asked)) return asked
    throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `the daemon has no network "${asked}"`, {
      hint: `Make it: \`incus network create ${asked}\`, or \`lxc network create ${asked}\`.`,
      details: { network: asked },
    })
  }
  const { devices } = await loadProfile(client, ctx)
  const named = Object.values(devices).find(({ type, network }) => type === 'nic' && network !== undefined)
  return named?.['network'] ?? networks.find(({ managed, type }) => managed && type === 'bridge')?.name
}

/** A free place in the network; undefined where the daemon gives out no IPv4 addresses, and an own client has to ask for one. */
export async function findAddress(
  client: Client,
  {
    network,
    instance,
    avoid,
  }: { readonly network: string; readonly instance: Instance; readonly avoid: ReadonlySet<string> },
  ctx: ProviderContext,
): Promise<Address | undefined> {
  const { signal } = ctx
  const { config } = await client.get<Network>(`/1.0/networks/${encodeURIComponent(network)}`, { signal })
  const subnet = parseSubnet(config['ipv4.address'] ?? '')
  if (subnet === undefined) return undefined
  const all = await client.get<readonly Instance[]>('/1.0/instances?recursion=1', { signal })
  const used = new Set([...avoid, ...all.filter(({ name }) => name !== instance.name).flatMap(addressesOf)])
  const before = addressesOf(instance).find((ip) => !used.has(ip) && isInside(ip, subnet))
  const ip = before ?? chooseAddress(subnet, used)
  if (ip === undefined)
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `no address is left in the network ${network}`, {
      hint: 'Remove environments, or give the network a larger range.',
    })
  return { ip, prefix: subnet.prefix, gateway: subnet.gateway }
}

function addressesOf({ devices }: Instance): string[] {
  return Object.values(devices).flatMap((device) => device['ipv4.address'] ?? [])
}

export interface Subnet {
  readonly base: number
  readonly prefix: number
  readonly gateway: string
}

export function parseSubnet(text: string): Subnet | undefined {
  const [, gateway = '', bits = ''] = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(text) ?? []
  const prefix = Number(bits)
  if (gateway === '' || prefix < 8 || prefix > 30) return undefined
  return { base: (toNumber(gateway) & -(2 ** (32 - prefix))) >>> 0, prefix, gateway }
}

function isInside(ip: string, { base, prefix }: Subnet): boolean {
  const offset = toNumber(ip) - base
  return offset > 0 && offset < 2 ** (32 - prefix) - 1
}

/** Any that is free: two holms that choose at once seldom meet, and the daemon refuses the second. */
export function chooseAddress(subnet: Subnet, used: ReadonlySet<string>): string | undefined {
  const size = 2 ** (32 - subnet.prefix) - 2
  const start = randomInt(size)
  for (let step = 0; step < Math.min(size, 65_536); step += 1) {
    const ip = toText(subnet.base + 1 + ((start + step) % size))
    if (ip !== subnet.gateway && !used.has(ip)) return ip
  }
  return undefined
}

function toNumber(ip: string): number {
  return ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

function toText(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')
}

/** What /etc/resolv.conf says inside: the network's own resolver, or this machine's. */
export function resolverOf(record: Pick<IncusRecord, 'network'>, address: Address | undefined): string {
  if (record.network === 'none') return ''
  const own = readText('/etc/resolv.conf')
  if (record.network === 'host') return own
  if (address !== undefined) return `nameserver ${address.gateway}\n`
  return reachableResolver(own, readText('/run/systemd/resolve/resolv.conf'))
}
