import { createHash } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { PortBinding, ProviderContext } from '@holm/core'
import { findMonitor } from './container.ts'
import type { NetworkSetting } from './config.ts'
import { applyRules, removeRules } from './firewall-apply.ts'
import type { FirewallNetwork } from './firewall.ts'
import { isForwarding, startForwarding, stopForwarding } from './forwarding.ts'
import { bindPorts } from './host-ports.ts'
import { withLock } from './lock.ts'
import { identifySelf, isAlive, loadBootId, readText, type ProcessIdentity } from './processes.ts'
import { readIfThere, replaceFile, type LxcRecord } from './record.ts'
import type { Session } from './session.ts'
import { chooseAddress, chooseSubnet, formatAddress, parseRoutes, subnetOf, type Subnet } from './subnets.ts'
import { runTool } from './tools.ts'

interface Lease {
  readonly address: string
  readonly ports: readonly PortBinding[]
  /** Who took it: it is let go when that process is gone and no container runs. */
  readonly holder: ProcessIdentity
}

interface Network {
  readonly name: string
  readonly bridge: string
  readonly owned: boolean
  readonly subnet: Subnet
  readonly gateway: string
  readonly leases: Readonly<Record<string, Lease>>
}

/** What is stored: who has which address and which ports. A restart of the machine takes bridges and rules with it. */
interface Networks {
  readonly boot: string
  /** Our chains are in the kernel. */
  readonly installed: boolean
  /** We made this machine pass packets on; it did not before. */
  readonly forwarding?: true
  readonly networks: readonly Network[]
}

export interface Connection {
  readonly setting: NetworkSetting
  readonly ports: readonly PortBinding[]
}

/** Gives an environment its address and ports; makes the bridge and the rules with the first one. */
export async function joinNetwork(
  session: Session,
  record: LxcRecord,
  ctx: ProviderContext,
): Promise<Connection> {
  if (record.network === 'none') return { setting: { kind: 'none' }, ports: [] }
  if (record.network === 'host') return { setting: { kind: 'host' }, ports: hostPorts(record) }
  if (session.settings.caller.uid !== 0) return { setting: { kind: 'none' }, ports: [] }
  return lockedNetworks(session, ctx, async () => {
    const before = dropDead(session, await loadNetworks(session))
    const { state, network } = await ensureNetwork(session, before, { name: record.network, ctx })
    const leased = state.networks.flatMap(({ leases }) => Object.values(leases).flatMap(({ ports }) => ports))
    const ports = await bindPorts(record.ports, leased)
    const address = pickAddress(network)
    const lease: Lease = { address, ports, holder: identifySelf() }
    const joined = { ...network, leases: { ...network.leases, [record.name]: lease } }
    const next = replaceNetwork(state, joined)
    // Stored first: what a kill leaves in the kernel is found by it.
    await saveNetworks(session, { ...next, installed: true })
    if (
      !before.installed ||
      ports.length > 0 ||
      network !== before.networks.find(({ name }) => name === network.name)
    )
      await applyRules(session, firewallNetworks(next), ctx)
    const { bridge, subnet, gateway } = network
    return { setting: { kind: 'bridge', bridge, address, prefix: subnet.prefix, gateway }, ports }
  })
}

/** Ports of an environment that has no network of its own are this machine's, as they are. */
function hostPorts(record: LxcRecord): PortBinding[] {
  return record.ports.map(({ container, hostIp, protocol }) => ({
    container,
    host: container,
    hostIp,
    protocol,
  }))
}

/** Lets address and ports go; the last one takes bridge and rules with it. */
export async function leaveNetwork(session: Session, name: string, ctx: ProviderContext): Promise<void> {
  if (session.settings.caller.uid !== 0 || !existsSync(networksFile(session))) return
  const calm = { ...ctx, signal: new AbortController().signal }
  await lockedNetworks(session, calm, async () => {
    const before = await loadNetworks(session)
    if (!before.networks.some(({ leases }) => Object.hasOwn(leases, name))) return
    const left = dropDead(session, {
      ...before,
      networks: before.networks.map((network) => ({
        ...network,
        leases: Object.fromEntries(Object.entries(network.leases).filter(([each]) => each !== name)),
      })),
    })
    const kept = left.networks.filter(({ leases }) => Object.keys(leases).length > 0)
    const own = left.networks.filter(({ owned }) => owned).map(({ bridge }) => bridge)
    const { forwarding, ...rest } = left
    const isLast = kept.every(({ owned }) => !owned)
    if (isLast && forwarding) stopForwarding(own)
    for (const { bridge, owned } of left.networks.filter((network) => !kept.includes(network)))
      if (owned) await deleteBridge(session, bridge, calm)
    const hadPorts = before.networks.some(({ leases }) => (leases[name]?.ports.length ?? 0) > 0)
    if (kept.length === 0) await removeRules(session, calm)
    else if (hadPorts || kept.length < before.networks.length)
      await applyRules(session, firewallNetworks({ ...left, networks: kept }), calm)
    await saveNetworks(session, { ...(isLast ? rest : left), networks: kept, installed: kept.length > 0 })
  })
}

/**
 * Lets go of address and ports of an environment that nobody stopped: its main process ended. Called by whoever sees it, for until its
 * next start nobody else would, and its ports would go on leading nowhere.
 */
export async function releaseEnded(session: Session, name: string, ctx: ProviderContext): Promise<void> {
  if (session.settings.caller.uid !== 0 || !(await isLeased(session, name))) return
  try {
    await session.locked(name, { ctx }, async () => {
      if (findMonitor(session.folder(name)) === undefined) await leaveNetwork(session, name, ctx)
    })
  } catch (error) {
    // Who works on it has its own way; the question was what is there.
    ctx.log.debug(`the address of ${name} was not let go: ${(error as Error).message}`)
  }
}

async function isLeased(session: Session, name: string): Promise<boolean> {
  const { networks } = await loadNetworks(session)
  return networks.some(({ leases }) => Object.hasOwn(leases, name))
}

function networksFile(session: Session): string {
  return path.join(session.layout.root, 'networks.json')
}

function lockedNetworks<T>(session: Session, ctx: ProviderContext, work: () => Promise<T>): Promise<T> {
  const file = path.join(session.layout.root, 'locks', 'all-networks')
  return withLock({ file, what: 'the networks', waitMs: 60_000, signal: ctx.signal }, work)
}

async function loadNetworks(session: Session): Promise<Networks> {
  const fresh: Networks = { boot: loadBootId(), installed: false, networks: [] }
  const text = await readIfThere(networksFile(session))
  if (text === undefined) return fresh
  const found = JSON.parse(text) as Networks
  return found.boot === fresh.boot ? found : fresh
}

async function saveNetworks(session: Session, networks: Networks): Promise<void> {
  await replaceFile(networksFile(session), JSON.stringify(networks, null, 2))
}

/** Without the leases of environments that do not run and that nobody is starting. */
function dropDead(session: Session, state: Networks): Networks {
  const lives = ([name, { holder }]: [string, Lease]): boolean =>
    findMonitor(session.folder(name)) !== undefined || (isAlive(holder) && existsSync(session.folder(name)))
  return {
    ...state,
    networks: state.networks.map((network) => ({
      ...network,
      leases: Object.fromEntries(Object.entries(network.leases).filter(lives)),
    })),
  }
}

function replaceNetwork(state: Networks, network: Network): Networks {
  return { ...state, networks: [...state.networks.filter(({ name }) => name !== network.name), network] }
}

async function ensureNetwork(
  session: Session,
  state: Networks,
  { name, ctx }: { readonly name: string; readonly ctx: ProviderContext },
): Promise<{ state: Networks; network: Network }> {
  const known = state.networks.find((network) => network.name === name)
  if (known && existsSync(`/sys/class/net/${known.bridge}`)) return { state, network: known }
  const network = known ?? describeNetwork(session, state, name)
  const switched = network.owned && !isForwarding() ? ({ forwarding: true } as const) : {}
  const next = { ...replaceNetwork(state, network), ...switched }
  if (network.owned) {
    await saveNetworks(session, { ...next, installed: state.installed })
    await createBridge(session, network, ctx)
  }
  return { state: next, network: { ...network } }
}

/** A bridge of this machine that has the network's name, else one of our own. */
function describeNetwork(session: Session, state: Networks, name: string): Network {
  if (name !== 'default' && /^[\w.-]{1,15}$/.test(name) && existsSync(`/sys/class/net/${name}/bridge`))
    return describeForeign(name)
  const digest = createHash('sha256').update(`${session.layout.root}\0${name}`).digest()
  const taken = [...parseRoutes(readText('/proc/net/route')), ...state.networks.map(({ subnet }) => subnet)]
  const subnet = chooseSubnet(taken, digest.readUInt8(4))
  if (subnet === undefined) {
    throw new HolmError(
      'HOLM_ENVIRONMENT_FAILED',
      `no free range of addresses is left for the network ${name}`,
      {
        hint: 'Remove networks in 10.213.0.0/16 that are no longer used.',
      },
    )
  }
  const gateway = formatAddress(subnet.network + 1)
  return {
    name,
    bridge: `hlxc${digest.toString('hex').slice(0, 8)}`,
    owned: true,
    subnet,
    gateway,
    leases: {},
  }
}

function describeForeign(bridge: string): Network {
  const found = networkInterfaces()[bridge]?.find(({ family }) => family === 'IPv4')
  if (found === undefined) {
    throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `the bridge ${bridge} has no IPv4 address`, {
      hint: 'Give it one, or name another network.',
    })
  }
  const prefix = Number(found.cidr?.split('/')[1] ?? 24)
  return {
    name: bridge,
    bridge,
    owned: false,
    subnet: subnetOf(found.address, prefix),
    gateway: found.address,
    leases: {},
  }
}

function pickAddress(network: Network): string {
  const neighbours = [...readText('/proc/net/arp').matchAll(/^(\d+\.\d+\.\d+\.\d+)\s/gm)].map(
    ([, address = '']) => address,
  )
  const used = [network.gateway, ...Object.values(network.leases).map(({ address }) => address)]
  const taken = new Set(network.owned ? used : [...used, ...neighbours])
  const address = chooseAddress(network.subnet, taken, network.owned ? 'bottom' : 'top')
  if (address !== undefined) return address
  throw new HolmError('HOLM_ENVIRONMENT_FAILED', `network ${network.name} has no free address`, {
    hint: 'Stop an environment that is no longer used.',
  })
}

async function createBridge(
  session: Session,
  { name, bridge, gateway, subnet }: Network,
  ctx: ProviderContext,
): Promise<void> {
  // A fixed address of its own: otherwise it changes as containers come and go.
  const mac = `02:68:${(bridge.slice(4).match(/../g) ?? []).join(':')}`
  const lines = [
    `link add name ${bridge} address ${mac} type bridge`,
    `address add ${gateway}/${subnet.prefix} dev ${bridge}`,
    `link set dev ${bridge} up`,
  ]
  const input = `${lines.join('\n')}\n`
  await runTool(
    ['ip', '-batch', '-'],
    { input, env: session.env, what: `make the bridge ${bridge}`, timeoutMs: 10_000 },
    ctx,
  )
  // For people, and for whoever looks for what holm left.
  const { layout, settings } = session
  writeFileSync(`/sys/class/net/${bridge}/ifalias`, `holm lxc ${layout.hash} ${settings.namespace} ${name}`)
  writeSwitch(`net/ipv4/conf/${bridge}/route_localnet`)
  if (!isForwarding()) startForwarding()
}

function writeSwitch(name: string): void {
  writeFileSync(`/proc/sys/${name}`, '1')
}

async function deleteBridge(session: Session, bridge: string, ctx: ProviderContext): Promise<void> {
  if (!existsSync(`/sys/class/net/${bridge}`)) return
  await runTool(
    ['ip', 'link', 'delete', 'dev', bridge],
    { env: session.env, what: `remove the bridge ${bridge}`, timeoutMs: 10_000 },
    ctx,
  )
}

function firewallNetworks(state: Networks): FirewallNetwork[] {
  return state.networks.map(({ name, bridge, owned, subnet, leases }) => ({
    name,
    bridge,
    owned,
    subnet: `${formatAddress(subnet.network)}/${subnet.prefix}`,
    published: Object.values(leases).flatMap(({ address, ports }) =>
      ports.map((port) => ({ ...port, address })),
    ),
  }))
}
