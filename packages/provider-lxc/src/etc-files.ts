import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { MountEntry, NetworkSetting } from './config.ts'
import { resolveInside } from './files-on-disk.ts'
import { layersOf } from './layers.ts'
import { readText } from './processes.ts'
import type { LxcRecord } from './record.ts'

/** Name resolution and the name of the environment, written for each start and mounted over what the base has. */
export function etcFiles(
  record: LxcRecord,
  { folder, setting }: { readonly folder: string; readonly setting: NetworkSetting },
): MountEntry[] {
  const address = setting.kind === 'bridge' ? setting.address : '127.0.1.1'
  const files: Readonly<Record<string, string>> = {
    hostname: `${record.hostname}\n`,
    hosts: `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${address}\t${record.hostname}\n`,
    ...(setting.kind === 'none' ? {} : { 'resolv.conf': loadResolver(setting.kind === 'host') }),
  }
  const place = path.join(folder, 'etc')
  mkdirSync(place, { recursive: true, mode: 0o755 })
  const layers = layersOf(record, folder)
  const mounted = new Set(record.mounts.map(({ target }) => path.posix.normalize(target)))
  const names = Object.keys(files).filter((name) => !mounted.has(`/etc/${name}`))
  for (const name of names) writeFileSync(path.join(place, name), files[name] ?? '', { mode: 0o644 })
  return names.map((name) => ({
    kind: 'bind',
    source: path.join(place, name),
    target: resolveInside(layers, `/etc/${name}`).inner,
    file: true,
    readonly: false,
  }))
}

function loadResolver(shared: boolean): string {
  const own = readText('/etc/resolv.conf')
  return shared ? own : reachableResolver(own, readText('/run/systemd/resolve/resolv.conf'))
}

/** A server on this machine's 127.0.0.1 cannot be asked from inside: then those that it asks itself. */
export function reachableResolver(own: string, behind: string): string {
  const keep = (text: string): string[] =>
    text.split('\n').filter((line) => !/^\s*nameserver\s+(?:127\.|::1\b)/.test(line) && line.trim() !== '')
  const hasServer = (lines: readonly string[]): boolean => lines.some((line) => /^\s*nameserver\s/.test(line))
  const first = keep(own)
  const lines = hasServer(first) ? first : keep(behind)
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}
