import { writeFile } from 'node:fs/promises'
import { HolmError } from '@holm/core'
import type { EnvironmentSpec, PortBinding, ProviderContext } from '@holm/core'
import { bridgeConfig, findPlugins, parseAddress, pluginsEnd, portmapConfig, runPlugin } from './cni.ts'
import type { PluginCall, PortMapping } from './cni.ts'
import type { Engine } from './engine.ts'
import { ensureRules } from './firewall.ts'
import { ensureNetwork, hasBridge, isNamed, loadNetwork, withNetworksLock } from './networks.ts'
import type { Network } from './networks.ts'

/** What a blueprint asks of the network that cannot be given is said before anything is made. */
export function assertNetwork({ network, ports }: Pick<EnvironmentSpec, 'network' | 'ports'>): void {
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
  if (hasBridge(network)) requirePlugins()
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
  /** As the blueprint names it. */
  readonly network: string
  /** Id that the plugins know the environment by. */
  readonly cniId: string
  readonly netns: string
  readonly ports: readonly PortBinding[]
  readonly ctx: ProviderContext
}

/** Gives the namespace an interface and an address, and publishes its ports. Returns the address. */
export async function attachNetwork(attachment: Attachment): Promise<string | undefined> {
  const { engine, ports, ctx } = attachment
  const network = await ensureNetwork(engine, attachment.network, ctx)
  const call = pluginCall(attachment, 'ADD')
  const [result] = await Promise.all([
    runPlugin({ ...call, config: bridgeConfig(network) }),
    ensureRules(network, ctx, (work) => withNetworksLock(engine, ctx, work)),
  ])
  if (isNamed(network.name)) await describeBridge(network, engine)
  if (ports.length > 0)
    await runPlugin({ ...call, config: portmapConfig(network, ports.map(mapping), result) })
  return parseAddress(result)
}

/** Undoes `attachNetwork`, also when the namespace is gone or only a part was made; `address` is what it returned, if it did. */
export async function detachNetwork(
  attachment: Omit<Attachment, 'netns'> & { readonly address: string | undefined },
): Promise<void> {
  const { address, cniId } = attachment
  const network = await loadNetwork(attachment.engine, attachment.network)
  if (!network || findPlugins() === undefined) return
  if (address === undefined) await pluginsEnd(({ containerId }) => containerId === cniId)
  const call = pluginCall({ ...attachment, netns: '' }, 'DEL')
  if (attachment.ports.length > 0)
    await runPlugin({ ...call, config: portmapConfig(network, attachment.ports.map(mapping)) })
  await runPlugin({ ...call, config: bridgeConfig(network) })
}

function pluginCall(
  { engine, cniId, netns, ctx }: Omit<Attachment, 'network' | 'ports'>,
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

/** For people, and for whoever looks for what holm left. The kernel takes 255 bytes, and tools print them as they are. */
async function describeBridge({ name, bridge }: Network, { namespace }: Engine): Promise<void> {
  const text = `holm containerd ${namespace} ${name.replaceAll(/[^ -~]/g, '?')}`
  await writeFile(`/sys/class/net/${bridge}/ifalias`, text.slice(0, 255)).catch(() => {})
}
