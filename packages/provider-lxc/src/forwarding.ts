import { existsSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const file = '/proc/sys/net/ipv4/ip_forward'

export interface Interface {
  readonly name: string
  /** A card of this machine, not one that a program made up. */
  readonly real: boolean
  /** Bridge that it is a port of. */
  readonly bridge?: string
}

/** Whether this machine passes packets on between its interfaces. */
export function isForwarding(): boolean {
  return readFileSync(file, 'utf8').trim() !== '0'
}

export function startForwarding(): void {
  writeFileSync(file, '1')
}

/** Undoes it when the last of these bridges goes, unless others may have come to rely on it. */
export function stopForwarding(bridges: readonly string[]): void {
  if (!isLeaf(listInterfaces(), bridges)) return
  writeFileSync(file, '0')
  // Who made a bridge in this moment may have found it switched on.
  if (!isLeaf(listInterfaces(), bridges)) startForwarding()
}

/**
 * Whether nobody but these bridges can need it: besides them and their ports there is no way into this machine but one. A container
 * engine or a VPN that came later found it switched on, relies on it and says so nowhere but by its interfaces.
 */
export function isLeaf(interfaces: readonly Interface[], bridges: readonly string[]): boolean {
  const others = interfaces.filter(
    ({ name, bridge = '' }) => name !== 'lo' && !bridges.includes(name) && !bridges.includes(bridge),
  )
  return others.length <= 1 && others.every(({ real }) => real)
}

export function listInterfaces(): Interface[] {
  const root = '/sys/class/net'
  return readdirSync(root)
    .filter((name) => existsSync(path.join(root, name, 'ifindex')))
    .map((name) => ({ name, real: existsSync(path.join(root, name, 'device')), ...bridgeOf(root, name) }))
}

function bridgeOf(root: string, name: string): { readonly bridge?: string } {
  try {
    return { bridge: path.basename(readlinkSync(path.join(root, name, 'master'))) }
  } catch {
    return {}
  }
}
