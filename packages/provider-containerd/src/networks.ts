import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { ProviderContext } from '@holm/core'
import { pluginsEnd } from './cni.ts'
import type { NetworkConfig } from './cni.ts'
import type { Engine } from './engine.ts'
import { removeRules } from './firewall.ts'
import { withLock } from './lock.ts'
import { bridgePrefix, hash } from './names.ts'
import { chooseSubnet, loadTakenNetworks, parseSubnet } from './subnet.ts'

/** A network of holm's own: chosen once, kept as long as an environment is to be in it. The plugin makes the bridge itself. */
export interface Network extends NetworkConfig {
  /** As blueprints name it. */
  readonly name: string
}

/** Whether environments get an address of holm's. */
export function hasBridge(network: string): boolean {
  return network !== 'none' && network !== 'host'
}

/** Whether others are found there by name. */
export function isNamed(network: string): boolean {
  return hasBridge(network) && network !== 'default'
}

/** Pure: any name makes a folder and a bridge. */
export function placeOf(folder: string, name: string): { readonly folder: string; readonly bridge: string } {
  const isDefault = name === 'default'
  return {
    folder: isDefault ? path.join(folder, 'network') : path.join(folder, 'networks', hash(name, 16)),
    bridge: `${bridgePrefix}${hash(isDefault ? folder : `${folder}\0${name}`, 8)}`,
  }
}

export function loadNetwork(engine: Engine, name: string): Promise<Network | undefined> {
  return readNetwork(placeOf(engine.folder, name).folder)
}

async function readNetwork(folder: string): Promise<Network | undefined> {
  const text = await readFile(path.join(folder, 'config.json'), 'utf8').catch(() => undefined)
  // Before there were names there was one network.
  return text === undefined ? undefined : { name: 'default', ...(JSON.parse(text) as NetworkConfig) }
}

/** Folders of all networks of a namespace of holm's, also of those that were never finished. */
async function listFolders(folder: string): Promise<readonly string[]> {
  const named = path.join(folder, 'networks')
  const names = await readdir(named).catch(() => [])
  return [path.join(folder, 'network'), ...names.map((name) => path.join(named, name))]
}

async function listNetworks(folder: string): Promise<readonly Network[]> {
  const found = await Promise.all((await listFolders(folder)).map(readNetwork))
  return found.filter((network) => network !== undefined)
}

/**
 * Its bridge's name and addresses, chosen now if there is no such network. The caller's environment is in containerd already, with the
 * network's name: from then on nobody removes it.
 */
export function ensureNetwork(engine: Engine, name: string, ctx: ProviderContext): Promise<Network> {
  return withNetworksLock(engine, ctx, async () => {
    const present = await loadNetwork(engine, name)
    if (present) return present
    const { folder, bridge } = placeOf(engine.folder, name)
    const seed = name === 'default' ? engine.folder : `${engine.folder}\0${name}`
    const subnet = chooseSubnet(seed, [...loadTakenNetworks(), ...(await loadOwnSubnets(engine))])
    const network: Network = { name, bridge, subnet, state: path.join(folder, 'addresses') }
    await mkdir(folder, { recursive: true })
    await writeFile(path.join(folder, 'config.json.new'), JSON.stringify(network))
    await rename(path.join(folder, 'config.json.new'), path.join(folder, 'config.json'))
    return network
  })
}

/** Networks that were chosen and have no bridge now, of all namespaces of this data folder: no route tells of them. */
async function loadOwnSubnets(engine: Engine): Promise<ReturnType<typeof parseSubnet>[]> {
  const top = path.dirname(engine.folder)
  const names = await readdir(top).catch(() => [])
  const networks = await Promise.all(names.map((name) => listNetworks(path.join(top, name))))
  return networks.flat().map(({ subnet }) => parseSubnet(subnet))
}

/**
 * Removes every network that no environment names any more: after the last one went, and what a killed holm left. `loadUsed`: the
 * names that environments have now.
 */
export async function removeUnusedNetworks(
  engine: Engine,
  ctx: ProviderContext,
  { loadUsed, except }: { readonly loadUsed: () => Promise<ReadonlySet<string>>; readonly except?: string },
): Promise<void> {
  const kept = except === undefined ? undefined : placeOf(engine.folder, except).folder
  const folders = (await listFolders(engine.folder)).filter((each) => each !== kept && existsSync(each))
  if (folders.length === 0 || (await listUnused(folders, await loadUsed())).length === 0) return
  await withNetworksLock(engine, ctx, async () => {
    for (const [folder, network] of await listUnused(folders, await loadUsed())) {
      if (network && !(await unmake(engine, network, ctx))) continue
      await rm(folder, { recursive: true, force: true })
    }
    // Only when it is empty.
    await rmdir(path.join(engine.folder, 'networks')).catch(() => {})
  })
}

type Unused = readonly [folder: string, network: Network | undefined]

async function listUnused(folders: readonly string[], used: ReadonlySet<string>): Promise<readonly Unused[]> {
  const all = await Promise.all(
    folders.map(async (folder): Promise<Unused> => [folder, await readNetwork(folder)]),
  )
  return all.filter(([, network]) => network === undefined || !used.has(network.name))
}

/** Takes rules and bridge out of the kernel. False: something is left, and the next holm tries again. */
async function unmake({ namespace }: Engine, network: Network, ctx: ProviderContext): Promise<boolean> {
  const { name, bridge } = network
  await pluginsEnd(
    (each) => each.containerId.startsWith(`${namespace}-`) && (each.bridge ?? bridge) === bridge,
  )
  const rules = await removeRules(network, ctx)
  if (rules !== undefined) ctx.log.warn(`the rules of the network ${name} are left: ${rules}`)
  if (!existsSync(`/sys/class/net/${bridge}`)) return rules === undefined
  const { stderr } = await ctx.runner.run(['ip', 'link', 'delete', bridge], { timeoutMs: 10_000 })
  const isGone = !existsSync(`/sys/class/net/${bridge}`)
  if (!isGone) ctx.log.warn(`the bridge of the network ${name} is left: ${stderr.trim()}`)
  return isGone && rules === undefined
}

/** For what concerns all networks: which there are, and the rules of the firewall. */
export function withNetworksLock<T>(
  engine: Engine,
  ctx: ProviderContext,
  work: () => Promise<T>,
): Promise<T> {
  const file = path.join(engine.folder, 'locks', 'network')
  return withLock({ file, what: 'the networks of its environments', signal: ctx.signal }, work)
}
