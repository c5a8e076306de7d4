import path from 'node:path'
import type { PortBinding, Resources } from '@holm/core'
import { hiddenLines } from '../config.ts'
import { escapeField } from '../quote.ts'
import { isUnconfined, securityLines } from '../security.ts'
import { key, volumeName } from './names.ts'
import type { Device, IncusRecord } from './record.ts'

/** Where an instance's own part of the network is. */
export interface Address {
  readonly ip: string
  readonly prefix: number
  readonly gateway: string
}

export interface BuildInput {
  readonly namespace: string
  readonly record: IncusRecord
  readonly pool: string
  /** Name of the daemon's network, and the place in it once it is known. */
  readonly network?: { readonly name: string; readonly address?: Address }
  /** Text of /etc/resolv.conf inside. */
  readonly resolver: string
}

/** A runaway loop ends before the machine does. */
const defaultPids = 4096

/** The configuration of an instance. Keys without a value are given too: a copy would otherwise keep its origin's. */
export function buildConfig(input: BuildInput): Record<string, string> {
  const { namespace, record } = input
  return {
    ...limitKeys(record.resources),
    'boot.autostart': 'false',
    'raw.idmap': record.ids === 'same' ? 'both 0-65535 0-65535' : '',
    'raw.lxc': rawLines(input).join('\n'),
    'security.privileged': record.ids === 'root' ? 'true' : '',
    [key.namespace]: namespace,
    [key.record]: JSON.stringify(record),
    [key.visit]: '',
  }
}

/** Pids have a limit also where nobody asked for one. */
export function limitKeys({ cpus, memoryBytes, pids }: Resources): Record<string, string> {
  return {
    'limits.cpu.allowance': cpus === undefined ? '' : allowance(cpus),
    'limits.memory': memoryBytes === undefined ? '' : `${memoryBytes}B`,
    'limits.processes': String(pids ?? defaultPids),
  }
}

/** The daemon takes whole milliseconds. */
function allowance(cpus: number): string {
  const period = Number.isInteger(cpus * 100) ? 100 : 1000
  return `${Math.max(1, Math.round(cpus * period))}ms/${period}ms`
}

/** The resources that are in force, with the default. */
export function effectiveResources(resources: Resources): Resources {
  return { ...resources, pids: resources.pids ?? defaultPids }
}

/** Lines of LXC's own configuration that the daemon has no key for. They come after its own, and win. */
function rawLines(input: BuildInput): string[] {
  const { record, network } = input
  const { security, options } = record
  const refused = options.seccomp !== false && !isUnconfined(security, 'seccomp')
  return [
    `lxc.uts.name = ${record.hostname}`,
    ...(record.main === 'hold' ? holdLines(input) : environmentLines(record.env)),
    ...(network?.address ? addressLines(network.address) : []),
    // Of the process that reads this line, which is the daemon's.
    ...(record.network === 'host' ? ['lxc.namespace.share.net = /proc/self/ns/net'] : []),
    ...kernelLines(record),
    `lxc.console.logfile = ${record.log}`,
    // Neither kept in memory nor cut off.
    'lxc.console.buffer.size = 0',
    'lxc.console.size = 0',
    'lxc.cap.drop =',
    ...securityLines({ security, ownInit: record.main === 'base', userNamespace: record.ids === 'mapped' }),
    ...(refused ? [] : ['lxc.seccomp.profile =']),
    ...(isUnconfined(security, 'apparmor') ? ['lxc.apparmor.profile = unconfined'] : []),
    `lxc.mount.entry = tmpfs dev/shm tmpfs rw,nosuid,nodev,mode=1777,size=${options.shmSize ?? 67_108_864},create=dir 0 0`,
    ...record.mounts.flatMap((mount) => (mount.type === 'tmpfs' ? [tmpfsLine(mount)] : [])),
    ...(options.config ?? []),
  ]
}

/**
 * What is seen of the kernel. The daemon trusts in ids that are nobody's outside, and leaves its settings open; where the ids are this
 * machine's, that would be a way out.
 */
function kernelLines({ security, main, network }: IncusRecord): string[] {
  if (security.privileged) return []
  // A user namespace may show the devices of its own network only.
  const devices = network === 'host' ? '' : main === 'base' ? ' sys:mixed' : ' sys:ro'
  const groups = main === 'base' ? ' cgroup:mixed' : ''
  return ['lxc.mount.auto =', `lxc.mount.auto = proc:mixed${devices}${groups}`, ...hiddenLines()]
}

function tmpfsLine({ target, sizeBytes }: { readonly target: string; readonly sizeBytes?: number }): string {
  const size = sizeBytes === undefined ? '' : `,size=${sizeBytes}`
  return `lxc.mount.entry = tmpfs ${escapeField(target.replace(/^\/+/, ''))} tmpfs rw,nosuid,nodev,mode=1777${size},create=dir 0 0`
}

/** No client asks for an address in an environment without an init system: it has one from the start. */
function addressLines({ ip, prefix, gateway }: Address): string[] {
  return [`lxc.net.0.ipv4.address = ${ip}/${prefix}`, `lxc.net.0.ipv4.gateway = ${gateway}`]
}

/** One line each: LXC has no way to write a value with a line break. */
function environmentLines(env: Readonly<Record<string, string>>): string[] {
  return Object.entries(env)
    .filter(([, value]) => !value.includes('\n'))
    .map(([name, value]) => `lxc.environment = ${name}=${value}`)
}

/** LXC knows no quotes in the words of a command: the shell puts the script together from a variable. */
function holdLines(input: BuildInput): string[] {
  return [
    'lxc.init.cmd = /bin/sh -c eval${IFS}$HOLM_INIT',
    `lxc.environment = HOLM_INIT=${holdScript(input)}`,
    'lxc.signal.halt = SIGTERM',
  ]
}

/**
 * PID 1 that only stays: it collects orphans. Told to end, it tells everybody else, and waits for them; the daemon's deadline ends the wait.
 * The shell splits the text at spaces and joins it again with one: it may hold no other, and no pattern that names a file.
 */
function holdScript(input: BuildInput): string {
  return [
    'unset HOLM_INIT',
    ...etcCommands(input),
    'finish() { trap : TERM INT; kill -TERM -1; while :; do n=0; for p in /proc/[0-9]*; do n=$((n+1)); done; test $n -le 1 && exit 0; sleep 0.05 || sleep 1; done; }',
    'trap finish TERM INT',
    'while :; do sleep 2147483647 & wait $!; done',
  ].join('; ')
}

/** Name resolution and the name of the environment. A link of the base would lead to a file that is not there. */
export function etcCommands({
  record,
  network,
  resolver,
}: Pick<BuildInput, 'record' | 'network' | 'resolver'>): string[] {
  const address = network?.address?.ip ?? '127.0.1.1'
  const files: Readonly<Record<string, readonly string[]>> = {
    hostname: [record.hostname],
    hosts: [
      '127.0.0.1 localhost',
      '::1 localhost ip6-localhost ip6-loopback',
      `${address} ${record.hostname}`,
    ],
    ...(resolver === '' ? {} : { 'resolv.conf': resolver.trim().split('\n') }),
  }
  const mounted = new Set(record.mounts.map(({ target }) => path.posix.normalize(target)))
  return Object.entries(files)
    .filter(([name]) => !mounted.has(`/etc/${name}`))
    .flatMap(([name, lines]) => [
      `test -L /etc/${name} && rm /etc/${name}`,
      `printf "%s\\n" ${lines.map((line) => `"${line.replaceAll(/[^\w .:@/-]/g, '')}"`).join(' ')} >/etc/${name}`,
    ])
}

/** The devices of an instance: its disk, its network, what is mounted, what is published. */
export function buildDevices(input: BuildInput): Record<string, Device> {
  const { record, network, pool } = input
  return {
    root: { type: 'disk', path: '/', pool },
    ...(network
      ? {
          eth0: {
            type: 'nic',
            name: 'eth0',
            network: network.name,
            ...(network.address ? { 'ipv4.address': network.address.ip } : {}),
          },
        }
      : {}),
    ...mountDevices(input),
    ...Object.fromEntries(
      record.bindings.map((binding) => [
        `port-${binding.protocol}-${binding.hostIp}-${binding.host}`,
        proxy(binding),
      ]),
    ),
    ...Object.fromEntries(
      record.security.devices.map((source, index) => [
        `device${index}`,
        { type: 'unix-char', source, path: source },
      ]),
    ),
  }
}

function proxy({ protocol, hostIp, host, container }: PortBinding): Device {
  const to = protocol === 'udp' ? 'udp' : 'tcp'
  return {
    type: 'proxy',
    bind: 'host',
    listen: `${to}:${hostIp}:${host}`,
    connect: `${to}:127.0.0.1:${container}`,
  }
}

function mountDevices({ namespace, record, pool }: BuildInput): Record<string, Device> {
  const entries = record.mounts.flatMap((mount, index): [string, Device][] => {
    if (mount.type === 'tmpfs') return []
    const common = { type: 'disk', path: mount.target, ...(mount.readonly ? { readonly: 'true' } : {}) }
    if (mount.type === 'bind') {
      const shift = record.ids === 'mapped' ? { shift: 'true' } : {}
      // The daemon cannot make mounts below a read-only one read-only, too: then they are not there.
      const recursive = mount.readonly ? {} : { recursive: 'true' }
      return [[`mount${index}`, { ...common, source: mount.source, ...recursive, ...shift }]]
    }
    const source = volumeName(namespace, {
      name: record.name,
      index,
      ...(mount.source === undefined ? {} : { source: mount.source }),
    })
    return [[`mount${index}`, { ...common, pool, source }]]
  })
  return Object.fromEntries(entries)
}
