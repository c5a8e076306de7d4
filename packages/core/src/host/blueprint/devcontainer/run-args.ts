import { HolmError } from '../../../errors.ts'
import { didYouMean } from '../../did-you-mean.ts'
import { parseCpus, parseSize } from '../parse-quantity.ts'
import { parsePort } from '../parse-ports.ts'
import { parseMount, parseVolumeText } from './mount-text.ts'
import { toTmpfs } from '../parse-mounts.ts'
import type { Mount, PortRequest } from '../../../spec.ts'
import type { PathContext } from '../parse-mounts.ts'

/** What `runArgs` ask for, in the words of the spec; `docker` is what only Docker has. */
export interface RunArgs {
  privileged: boolean
  init: boolean
  network?: string
  hostname?: string
  user?: string
  cpus?: number
  memoryBytes?: number
  pids?: number
  readonly capAdd: string[]
  readonly capDrop: string[]
  readonly securityOpt: string[]
  readonly devices: string[]
  readonly env: Record<string, string>
  readonly labels: Record<string, string>
  readonly mounts: Mount[]
  readonly ports: PortRequest[]
  readonly docker: DockerRunOptions
  readonly warnings: string[]
}

/** Goes to `options.docker`, in the words of the docker provider; its own schema has the last word. */
export interface DockerRunOptions {
  shmSize?: number
  gpus?: string | number | string[]
  runtime?: string
  platform?: string
  ipc?: string
  pid?: string
  userns?: string
  cpusetCpus?: string
  macAddress?: string
  readOnlyRoot?: boolean
  ulimits?: Record<string, number | { soft: number; hard: number }>
  extraHosts?: Record<string, string>
  sysctls?: Record<string, string>
  dns?: string[]
  dnsSearch?: string[]
  groupAdd?: string[]
  networkAlias?: string[]
}

export interface RunArgsContext {
  readonly paths: PathContext
  readonly env: Readonly<Record<string, string | undefined>>
}

type Apply = (args: RunArgs, value: string, context: RunArgsContext) => void

const withValue: Readonly<Record<string, Apply>> = {
  '--cap-add': (args, value) => args.capAdd.push(value),
  '--cap-drop': (args, value) => args.capDrop.push(value),
  '--security-opt': (args, value) => args.securityOpt.push(value),
  '--device': (args, value) => args.devices.push(value),
  '--network': (args, value) => void (args.network = toNetwork(value)),
  '--hostname': (args, value) => void (args.hostname = value),
  '--user': (args, value) => void (args.user = value),
  '--cpus': (args, value) => void (args.cpus = parseCpus(value)),
  '--memory': (args, value) => void (args.memoryBytes = parseSize(value)),
  '--pids-limit': (args, value) => setPids(args, value),
  '--env': (args, value, { env }) => setVariable(args.env, value, env),
  '--volume': (args, value, { paths }) => args.mounts.push(parseVolumeText(value, paths)),
  '--mount': (args, value, { paths }) => args.mounts.push(parseMount(value, paths)),
  '--tmpfs': (args, value) => args.mounts.push(toTmpfs(value)),
  '--publish': (args, value) => args.ports.push(...parsePort(publishText(value))),
  '--shm-size': ({ docker }, value) => void (docker.shmSize = parseSize(value)),
  '--gpus': ({ docker }, value) => void (docker.gpus = toGpus(value)),
  '--runtime': ({ docker }, value) => void (docker.runtime = value),
  '--platform': ({ docker }, value) => void (docker.platform = value),
  '--ipc': ({ docker }, value) => void (docker.ipc = value),
  '--pid': ({ docker }, value) => void (docker.pid = value),
  '--userns': ({ docker }, value) => void (docker.userns = value),
  '--cpuset-cpus': ({ docker }, value) => void (docker.cpusetCpus = value),
  '--mac-address': ({ docker }, value) => void (docker.macAddress = value),
  '--ulimit': ({ docker }, value) => void (docker.ulimits = { ...docker.ulimits, ...toUlimit(value) }),
  '--add-host': ({ docker }, value) => void (docker.extraHosts = { ...docker.extraHosts, ...toHost(value) }),
  '--sysctl': ({ docker }, value) => void (docker.sysctls = { ...docker.sysctls, ...toPair(value) }),
  '--dns': ({ docker }, value) => void (docker.dns = [...(docker.dns ?? []), value]),
  '--dns-search': ({ docker }, value) => void (docker.dnsSearch = [...(docker.dnsSearch ?? []), value]),
  '--group-add': ({ docker }, value) => void (docker.groupAdd = [...(docker.groupAdd ?? []), value]),
  '--network-alias': ({ docker }, value) =>
    void (docker.networkAlias = [...(docker.networkAlias ?? []), value]),
  '--label': (args, value) => void Object.assign(args.labels, toPair(value)),
  '--name': ({ warnings }, value) =>
    warnings.push(`runArgs: --name ${value} is left out, holm names the container after the environment`),
  '--restart': ({ warnings }, value) =>
    warnings.push(`runArgs: --restart ${value} is left out, holm starts and stops the container`),
}

const withoutValue: Readonly<Record<string, (args: RunArgs, on: boolean) => void>> = {
  '--privileged': (args, on) => void (args.privileged = on),
  '--init': (args, on) => void (args.init = on),
  '--read-only': ({ docker }, on) => void (docker.readOnlyRoot = on),
  '--rm': ({ warnings }) => warnings.push('runArgs: --rm is left out, `holm destroy` removes the container'),
  '--interactive': () => {},
  '--tty': () => {},
  '--detach': () => {},
}

const shortNames: Readonly<Record<string, string>> = {
  '-e': '--env',
  '-h': '--hostname',
  '-l': '--label',
  '-m': '--memory',
  '-p': '--publish',
  '-u': '--user',
  '-v': '--volume',
  '-i': '--interactive',
  '-t': '--tty',
  '-d': '--detach',
  '--net': '--network',
}

/**
 * Reads the arguments as `docker run` would: `--flag value`, `--flag=value`, `-p8080:80`, `-it`. Throws
 * HOLM_BLUEPRINT_UNSUPPORTED naming an argument that has no counterpart, with its index in `details.path`.
 */
export function parseRunArgs(tokens: readonly string[], context: RunArgsContext): RunArgs {
  const args: RunArgs = {
    privileged: false,
    init: false,
    capAdd: [],
    capDrop: [],
    securityOpt: [],
    devices: [],
    env: {},
    labels: {},
    mounts: [],
    ports: [],
    docker: {},
    warnings: [],
  }
  for (let index = 0; index < tokens.length;) {
    index += readFlag(args, { tokens, index, context })
  }
  return args
}

interface Place {
  readonly tokens: readonly string[]
  readonly index: number
  readonly context: RunArgsContext
}

/** Applies the flag at the place; returns how many tokens it took. */
function readFlag(args: RunArgs, place: Place): number {
  const token = place.tokens[place.index] ?? ''
  if (/^-[itd]{2,}$/.test(token)) return 1
  const { name, inline } = splitFlag(token)
  const toggle = withoutValue[name]
  if (toggle !== undefined) {
    toggle(args, inline !== 'false')
    return 1
  }
  const apply = withValue[name]
  if (apply === undefined) throw unsupported(token, name, place.index)
  const value = inline ?? place.tokens[place.index + 1]
  if (value === undefined)
    throw atIndex(place.index, 'HOLM_BLUEPRINT_INVALID', `runArgs: ${token} has no value`)
  try {
    apply(args, value, place.context)
  } catch (error) {
    const code = error instanceof HolmError ? error.code : 'HOLM_BLUEPRINT_INVALID'
    throw atIndex(
      place.index,
      code,
      `runArgs: ${name}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  return inline === undefined ? 2 : 1
}

function splitFlag(token: string): { name: string; inline?: string } {
  const long = /^(--[\w-]+)(?:=([\s\S]*))?$/.exec(token)
  if (long !== null) return named(long[1] ?? '', long[2])
  const short = /^(-[a-zA-Z])=?([\s\S]*)$/.exec(token)
  return short === null ? { name: token } : named(short[1] ?? '', short[2] || undefined)
}

function named(flag: string, inline: string | undefined): { name: string; inline?: string } {
  const name = shortNames[flag] ?? flag
  return inline === undefined ? { name } : { name, inline }
}

function unsupported(token: string, name: string, index: number): HolmError {
  const known = [...Object.keys(withValue), ...Object.keys(withoutValue)]
  return atIndex(
    index,
    'HOLM_BLUEPRINT_UNSUPPORTED',
    `runArgs: ${JSON.stringify(token)} has no counterpart in holm${didYouMean(name, known)}`,
  )
}

function atIndex(index: number, code: HolmError['code'], message: string): HolmError {
  return new HolmError(code, message, {
    hint: 'Remove the argument, or put it into the section of a provider in a holm.yaml.',
    details: { path: ['runArgs', index] },
  })
}

function toNetwork(value: string): string {
  if (value === 'bridge') return 'default'
  if (!value.includes(':')) return value
  throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `${value} shares the network of another container`)
}

function setPids(args: RunArgs, value: string): void {
  const pids = Number(value)
  if (Number.isInteger(pids) && pids > 0) args.pids = pids
  else if (pids !== -1)
    throw new HolmError('HOLM_BLUEPRINT_INVALID', `${JSON.stringify(value)} is no number of processes`)
}

/** `NAME` alone takes the value of this machine, when it has one. */
function setVariable(target: Record<string, string>, text: string, env: RunArgsContext['env']): void {
  const split = text.indexOf('=')
  const name = split < 0 ? text : text.slice(0, split)
  const value = split < 0 ? env[name] : text.slice(split + 1)
  if (value !== undefined) target[name] = value
}

/** Docker publishes `80` on a random port; in a blueprint that is `0:80`. */
function publishText(value: string): string {
  return /^\d+(?:\/\w+)?$/.test(value) ? `0:${value}` : value
}

function toPair(text: string): Record<string, string> {
  const split = text.indexOf('=')
  return split < 0 ? { [text]: '' } : { [text.slice(0, split)]: text.slice(split + 1) }
}

/** `name:address`, `name=address`; an IPv6 address has colons of its own. */
function toHost(text: string): Record<string, string> {
  const [, name = '', address = ''] = /^([^:=]+)[:=](.+)$/.exec(text) ?? []
  if (name === '') throw new HolmError('HOLM_BLUEPRINT_INVALID', `${JSON.stringify(text)} is no name:address`)
  return { [name]: address }
}

function toUlimit(text: string): Record<string, number | { soft: number; hard: number }> {
  const [, name = '', soft = '', hard] = /^(\w+)=(-?\d+)(?::(-?\d+))?$/.exec(text) ?? []
  if (name === '')
    throw new HolmError(
      'HOLM_BLUEPRINT_INVALID',
      `${JSON.stringify(text)} is no limit such as nofile=1024:2048`,
    )
  return { [name]: hard === undefined ? Number(soft) : { soft: Number(soft), hard: Number(hard) } }
}

function toGpus(text: string): string | number | string[] {
  if (text === 'all') return text
  if (/^\d+$/.test(text)) return Number(text)
  const devices = /^"?device=([^"]+)"?$/.exec(text)?.[1]
  if (devices !== undefined) return devices.split(',')
  throw new HolmError(
    'HOLM_BLUEPRINT_INVALID',
    `${JSON.stringify(text)} is neither all, a number nor device=<ids>`,
  )
}
