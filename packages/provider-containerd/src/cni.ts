import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { HolmError } from '@holm/core'
import type { Runner } from '@holm/core'

/** Where distributions and the makers put the plugins. */
export const pluginFolders: readonly string[] = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni']

export const neededPlugins: readonly string[] = ['bridge', 'host-local', 'portmap']

/** Folder that has all plugins; undefined when there is none. */
export function findPlugins(exists: (path: string) => boolean = existsSync): string | undefined {
  return pluginFolders.find((folder) => neededPlugins.every((name) => exists(path.join(folder, name))))
}

export interface PortMapping {
  readonly hostPort: number
  readonly containerPort: number
  readonly protocol: string
  readonly hostIP: string
}

export interface NetworkConfig {
  readonly bridge: string
  readonly subnet: string
  /** Folder in which the plugins remember addresses. */
  readonly state: string
}

/** How long a plugin may take, milliseconds. */
const pluginMs = 30_000

/** Versions before 1.0 are known by every plugin in use. */
const cniVersion = '0.4.0'

/** Pure: what the bridge plugin reads. Masquerading is one rule for all, made once: per environment it costs more than all else. */
export function bridgeConfig({ bridge, subnet, state }: NetworkConfig): Record<string, unknown> {
  return {
    cniVersion,
    name: bridge,
    type: 'bridge',
    bridge,
    isGateway: true,
    hairpinMode: true,
    ipam: {
      type: 'host-local',
      dataDir: state,
      ranges: [[{ subnet }]],
      routes: [{ dst: '0.0.0.0/0' }],
    },
  }
}

/** Pure: what the portmap plugin reads; `prevResult` tells it the address. */
export function portmapConfig(
  { bridge }: NetworkConfig,
  portMappings: readonly PortMapping[],
  prevResult?: unknown,
): Record<string, unknown> {
  return {
    cniVersion,
    name: bridge,
    type: 'portmap',
    capabilities: { portMappings: true },
    runtimeConfig: { portMappings },
    ...(prevResult !== undefined && { prevResult }),
  }
}

export interface PluginCall {
  readonly command: 'ADD' | 'DEL'
  readonly folder: string
  readonly containerId: string
  /** Path of the network namespace; empty when it is gone. */
  readonly netns: string
  readonly config: Readonly<Record<string, unknown>>
  readonly runner: Runner
  /** PATH on which the plugins find iptables. */
  readonly path: string
}

/** Runs one plugin; its answer, for ADD. */
export async function runPlugin(call: PluginCall): Promise<unknown> {
  const { command, folder, containerId, netns, config, runner } = call
  const { code, stdout, stderr } = await runner.run([path.join(folder, String(config['type']))], {
    input: JSON.stringify(config),
    timeoutMs: pluginMs,
    env: {
      PATH: call.path,
      // For `pluginsEnd`: the plugins themselves do not look at it.
      HOLM_BRIDGE: String(config['name']),
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: netns,
      CNI_IFNAME: 'eth0',
      CNI_PATH: folder,
    },
  })
  if (code === 0) return stdout.trim() === '' ? undefined : (JSON.parse(stdout) as unknown)
  const said = pluginMessage(stdout) ?? stderr.trim()
  const hint = /no IP addresses available/i.test(said)
    ? 'Stop or remove environments of this network that are no longer used, or name another one.'
    : 'Use `network: none` or `network: host` when this machine’s network cannot be changed.'
  throw new HolmError(
    'HOLM_ENVIRONMENT_FAILED',
    `the network plugin ${String(config['type'])} failed: ${said}`,
    { hint },
  )
}

/** Which environment a plugin works for, and in which network. */
export interface PluginAtWork {
  readonly containerId: string
  /** Absent: an earlier version of holm started it. */
  readonly bridge: string | undefined
}

/**
 * Waits until no plugin that is meant works: a plugin outlives the holm that was killed while it ran, and would
 * make again what is taken away meanwhile. At most as long as a plugin may take.
 */
export async function pluginsEnd(isMeant: (plugin: PluginAtWork) => boolean): Promise<void> {
  const deadline = performance.now() + pluginMs
  while (performance.now() < deadline && isPluginAtWork(isMeant)) await wait(20)
}

/** Of this machine's own processes: what runs inside an environment may call itself what it likes, and is waited for by nobody. */
function isPluginAtWork(isMeant: (plugin: PluginAtWork) => boolean): boolean {
  const own = readlinkSync('/proc/self/ns/mnt')
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return processes.some((pid) => {
    try {
      const env = readFileSync(`/proc/${pid}/environ`, 'latin1')
      const containerId = /(?:^|\0)CNI_CONTAINERID=([^\0]*)/.exec(env)?.[1]
      const bridge = /(?:^|\0)HOLM_BRIDGE=([^\0]*)/.exec(env)?.[1]
      if (containerId === undefined || !isMeant({ containerId, bridge })) return false
      return readlinkSync(`/proc/${pid}/ns/mnt`) === own
    } catch {
      // It ended, or is somebody else's.
      return false
    }
  })
}

function pluginMessage(stdout: string): string | undefined {
  try {
    const { msg, details } = JSON.parse(stdout) as { msg?: string; details?: string }
    return [msg, details].filter(Boolean).join('; ') || undefined
  } catch {
    return undefined
  }
}

/** Pure: the address that the bridge plugin gave, without its prefix length. */
export function parseAddress(result: unknown): string | undefined {
  const { ips } = (result ?? {}) as { ips?: readonly { address?: string }[] }
  return ips?.[0]?.address?.split('/')[0]
}
