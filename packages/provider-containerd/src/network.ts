import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { EnvironmentSpec, PortBinding, ProviderContext } from '@holm/core'
import { bridgeConfig, findPlugins, parseAddress, pluginsEnd, portmapConfig, runPlugin } from './cni.ts'
import type { NetworkConfig, PluginCall, PortMapping } from './cni.ts'
import type { Engine } from './engine.ts'
import { ensureRules, removeRules } from './firewall.ts'
import { withLock } from './lock.ts'
import { hash } from './names.ts'
import { chooseSubnet, loadTakenNetworks } from './subnet.ts'

/** What a blueprint asks of the network that cannot be given is said before anything is made. */
export function assertNetwork(engine: Engine, spec: EnvironmentSpec): void {
  const { network, ports } = spec
  if (!['default', 'none', 'host'].includes(network)) {
    throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `containerd has no network "${network}"`, {
      hint: 'Use `default`, `none` or `host`.',
    })
  }
  if (network === 'none' && ports.length > 0) {
    throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', 'ports cannot be published without a network', {
      hint: 'Use the default network, or publish nothing.',
    })
  }
  const moved = ports.find(({ host, container }) => host !== undefined && host !== container)
  if (network === 'host' && moved) {
    throw new HolmError(
      'HOLM_BLUEPRINT_UNSUPPORTED',
      `port ${moved.container} cannot be published as ${moved.host} on the host's own network`,
      { hint: 'Use the default network, or the same number on both sides.' },
    )
  }
  if (network === 'default') requirePlugins()
}

export function requirePlugins(): string {
  const folder = findPlugins()
  if (folder !== undefined) return folder
  throw new HolmError(
    'HOLM_TOOL_MISSING',
    'the network plugins bridge, host-local and portmap are not on this machine',
    {
      hint: 'Install them with `sudo apt install containernetworking-plugins`, or use `network: none` or `network: host`.',
    },
  )
}

export interface Attachment {
  readonly engine: Engine
  /** Id that the plugins know the environment by. */
  readonly cniId: string
  readonly netns: string
  readonly ports: readonly PortBinding[]
  readonly ctx: ProviderContext
}

/** Gives the namespace an interface and an address, and publishes its ports. Returns the address. */
export async function attachNetwork(attachment: Attachment): Promise<string | undefined> {
  const { engine, ports, ctx } = attachment
  const network = await ensureNetwork(engine, ctx)
  const call = pluginCall(attachment, 'ADD')
  const [result] = await Promise.all([
    runPlugin({ ...call, config: bridgeConfig(network) }),
    ensureRules(network, { runner: ctx.runner, log: ctx.log }),
  ])
  if (ports.length > 0)
    await runPlugin({ ...call, config: portmapConfig(network, ports.map(mapping), result) })
  return parseAddress(result)
}

/** Undoes `attachNetwork`, also when the namespace is gone or only a part was made; `address` is what it returned, if it did. */
export async function detachNetwork(
  attachment: Omit<Attachment, 'netns'> & { readonly address: string | undefined },
): Promise<void> {
  const { address, cniId } = attachment
  const network = await loadNetwork(attachment.engine)
  if (!network || findPlugins() === undefined) return
  if (address === undefined) await pluginsEnd((id) => id === cniId)
  const call = pluginCall({ ...attachment, netns: '' }, 'DEL')
  if (attachment.ports.length > 0)
    await runPlugin({ ...call, config: portmapConfig(network, attachment.ports.map(mapping)) })
  await runPlugin({ ...call, config: bridgeConfig(network) })
}

function pluginCall(
  { engine, cniId, netns, ctx }: Omit<Attachment, 'ports'>,
  command: PluginCall['command'],
): Omit<PluginCall, 'config'> {
  return {
    command,
    folder: requirePlugins(),
    containerId: cniId,
    netns,
    runner: ctx.runner,
    path: `${engine.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
  }
}

function mapping({ host, container, protocol, hostIp }: PortBinding): PortMapping {
  return { hostPort: host, containerPort: container, protocol, hostIP: hostIp }
}

function networkFolder(engine: Engine): string {
  return path.join(engine.folder, 'network')
}

async function loadNetwork(engine: Engine): Promise<NetworkConfig | undefined> {
  const text = await readFile(path.join(networkFolder(engine), 'config.json'), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as NetworkConfig)
}

/** The bridge's name and addresses are chosen once, and kept as long as there are environments. The plugin makes the bridge itself. */
async function ensureNetwork(engine: Engine, ctx: ProviderContext): Promise<NetworkConfig> {
  const present = await loadNetwork(engine)
  if (present) return present
  return locked(engine, ctx, async () => {
    const again = await loadNetwork(engine)
    if (again) return again
    const folder = networkFolder(engine)
    const network: NetworkConfig = {
      bridge: `holmc${hash(engine.folder, 8)}`,
      subnet: chooseSubnet(engine.folder, loadTakenNetworks()),
      state: path.join(folder, 'addresses'),
    }
    await mkdir(folder, { recursive: true })
    await writeFile(path.join(folder, 'config.json'), JSON.stringify(network))
    return network
  })
}

/** Called after the last environment was removed. */
export async function removeNetwork(
  engine: Engine,
  ctx: ProviderContext,
  isUnused: () => Promise<boolean>,
): Promise<void> {
  if (!(await loadNetwork(engine))) return
  await locked(engine, ctx, async () => {
    const network = await loadNetwork(engine)
    if (!network || !(await isUnused())) return
    await pluginsEnd((id) => id.startsWith(`${engine.namespace}-`))
    await removeRules(network, ctx)
    if (existsSync(`/sys/class/net/${network.bridge}`))
      await ctx.runner.run(['ip', 'link', 'delete', network.bridge], { timeoutMs: 10_000 })
    await rm(networkFolder(engine), { recursive: true, force: true })
  })
}

function locked<T>(engine: Engine, ctx: ProviderContext, work: () => Promise<T>): Promise<T> {
  const file = path.join(engine.folder, 'locks', 'network')
  return withLock({ file, what: 'the network of its environments', signal: ctx.signal }, work)
}
