import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { ContainerdOptions } from './options.ts'

export interface EtcInput {
  readonly hostname: string
  /** The environment's own address, where it has one. */
  readonly address?: string | undefined
  /** What it is called, the host name first; absent: that alone. */
  readonly names?: readonly string[]
  readonly options: ContainerdOptions
}

/** Pure: /etc/hosts. */
export function hostsFile({
  hostname,
  address = '127.0.1.1',
  names = [hostname],
  options,
}: EtcInput): string {
  const extra = Object.entries(options.extraHosts ?? {}).map(([name, at]) => `${at}\t${name}`)
  return [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    `${address}\t${names.join(' ')}`,
    ...extra,
    '',
  ].join('\n')
}

/** Pure: this machine's resolv.conf for a network of its own, where a server that listens on this machine's loopback cannot be reached. */
export function resolvFile(machine: string, { dns, dnsSearch }: ContainerdOptions): string {
  const lines = machine.split('\n').filter((line) => line.trim() !== '' && !/^\s*[#;]/.test(line))
  const kept = lines.filter((line) => {
    if (/^\s*nameserver\s/.test(line)) return dns === undefined && !/\s(127\.|::1\b)/.test(line)
    return !(dnsSearch && /^\s*(search|domain)\s/.test(line))
  })
  const own = [
    ...(dns ?? []).map((server) => `nameserver ${server}`),
    ...(dnsSearch ? [`search ${dnsSearch.join(' ')}`] : []),
  ]
  return `${[...kept, ...own].join('\n')}\n`
}

/** Behind a local resolver the servers it asks stand in a file of their own. */
const resolvFiles: readonly string[] = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf']

async function loadResolv(options: ContainerdOptions, isHostNetwork: boolean): Promise<string> {
  let text = ''
  for (const file of resolvFiles) {
    const machine = await readFile(file, 'utf8').catch(() => '')
    text = isHostNetwork ? machine : resolvFile(machine, options)
    if (/^\s*nameserver\s/m.test(text)) break
  }
  return text
}

/** Written in place: the files are mounted one by one. */
export async function writeEtc(
  folder: string,
  input: EtcInput & { readonly network: string },
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const resolv = await loadResolv(input.options, input.network === 'host')
  await Promise.all([
    writeFile(path.join(folder, 'hostname'), `${input.hostname}\n`),
    writeFile(path.join(folder, 'hosts'), hostsFile(input)),
    writeFile(path.join(folder, 'resolv.conf'), resolv),
  ])
}

export async function writeHosts(folder: string, input: EtcInput): Promise<void> {
  await writeFile(path.join(folder, 'hosts'), hostsFile(input))
}
