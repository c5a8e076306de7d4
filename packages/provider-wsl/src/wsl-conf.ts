import { HolmError } from '@holm/core'

/** /etc/wsl.conf: what WSL reads each time it starts a distribution. Pure. */

export type ConfValue = string | number | boolean
export type ConfSections = Readonly<Record<string, Readonly<Record<string, ConfValue>>>>

type Check = (value: unknown) => string | undefined

const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false')
const text: Check = (value) =>
  typeof value === 'string' && value !== '' && !/[\n\r\0]/.test(value)
    ? undefined
    : 'must be a text of one line'
const time: Check = (value) =>
  Number.isSafeInteger(value) && Number(value) > 0 ? undefined : 'must be a number of milliseconds above 0'
const folder: Check = (value) =>
  typeof value === 'string' && /^\/[^\n\r\0]*$/.test(value) ? undefined : 'must be an absolute path inside'
const hostname: Check = (value) =>
  typeof value === 'string' && /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,62})$/.test(value)
    ? undefined
    : 'must be a host name'
const user: Check = (value) =>
  typeof value === 'string' && /^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/.test(value)
    ? undefined
    : 'must be the name of a user'
const groups: Check = (value) => (value === 'v1' || value === 'v2' ? undefined : 'must be v1 or v2')

/** Section to key to its check: everything that wsl.conf knows and that is for one distribution. */
const known: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  boot: { systemd: flag, command: text, initTimeout: time, protectBinfmt: flag },
  automount: {
    enabled: flag,
    mountFsTab: flag,
    root: folder,
    options: text,
    ldconfig: flag,
    cgroups: groups,
  },
  network: { generateHosts: flag, generateResolvConf: flag, hostname },
  interop: { enabled: flag, appendWindowsPath: flag },
  user: { default: user },
  gpu: { enabled: flag, appendLibPath: flag },
  time: { useWindowsTimezone: flag },
}

/** Keys that people look for here and that are for the whole machine: .wslconfig in the folder of the Windows user. */
const machineKeys = new Set([
  'memory',
  'processors',
  'swap',
  'kernel',
  'networkingMode',
  'localhostForwarding',
  'nestedVirtualization',
])

const metadata = 'metadata,umask=22,fmask=11'

/** Named starting points; a section of the blueprint is laid over them, key by key. */
export const profiles = {
  minimal: {
    boot: { systemd: false },
    automount: { enabled: false },
    interop: { enabled: false, appendWindowsPath: false },
    gpu: { enabled: false },
  },
  systemd: { boot: { systemd: true } },
  docker: {
    boot: { systemd: true },
    automount: { enabled: true, options: metadata },
    network: { generateResolvConf: true },
  },
  database: {
    boot: { systemd: true },
    automount: { enabled: true, options: 'metadata,umask=77,fmask=177' },
    interop: { enabled: false, appendWindowsPath: false },
  },
  'web-server': {
    boot: { systemd: true },
    network: { generateHosts: true, generateResolvConf: true },
    interop: { appendWindowsPath: false },
  },
  development: {
    boot: { systemd: true },
    automount: { enabled: true, mountFsTab: true, options: metadata },
    interop: { enabled: true, appendWindowsPath: true },
    time: { useWindowsTimezone: true },
  },
} as const satisfies Record<string, ConfSections>

export type ProfileName = keyof typeof profiles

export const profileNames: readonly ProfileName[] = Object.keys(profiles) as ProfileName[]

export interface ConfIssue {
  readonly message: string
  readonly path: readonly string[]
}

/** What is wrong with the sections of a blueprint, each with its place. */
export function checkSections(value: unknown): ConfIssue[] {
  if (!isRecord(value)) return [{ message: 'must map sections to settings', path: [] }]
  return Object.entries(value).flatMap(([section, settings]) => checkSection(section, settings))
}

function checkSection(section: string, settings: unknown): ConfIssue[] {
  const table = Object.hasOwn(known, section) ? known[section] : undefined
  if (table === undefined) {
    const machine = section === 'wsl2' || section === 'experimental'
    const why = machine
      ? 'belongs into .wslconfig: it is for this machine, not for one distribution'
      : `unknown section; known are ${Object.keys(known).join(', ')}`
    return [{ message: why, path: [section] }]
  }
  if (!isRecord(settings)) return [{ message: 'must map keys to values', path: [section] }]
  return Object.entries(settings).flatMap(([key, value]) => {
    const message = checkKey(table, key, value)
    return message === undefined ? [] : [{ message, path: [section, key] }]
  })
}

function checkKey(table: Readonly<Record<string, Check>>, key: string, value: unknown): string | undefined {
  const check = Object.hasOwn(table, key) ? table[key] : undefined
  if (check) return check(value)
  return machineKeys.has(key)
    ? 'belongs into .wslconfig: it is for this machine, not for one distribution'
    : `unknown key; known are ${Object.keys(table).join(', ')}`
}

export interface ConfRequest {
  readonly profile?: ProfileName
  readonly sections?: ConfSections
  readonly hostname: string
  /** Default user; a number or a user with a group is left to holm. */
  readonly user?: string
}

/**
 * The settings of one environment: holm's own, the profile over them, the blueprint's over that. Ours keep the PATH of
 * Windows out and let mode bits of Windows files be stored.
 */
export function resolveConf({ profile, sections = {}, ...request }: ConfRequest): ConfSections {
  const own: ConfSections = {
    automount: { enabled: true, options: 'metadata' },
    network: { hostname: request.hostname },
    interop: { appendWindowsPath: false },
    ...(request.user !== undefined && user(request.user) === undefined
      ? { user: { default: request.user } }
      : {}),
  }
  const chosen: ConfSections = profile === undefined ? {} : profiles[profile]
  const merged: Record<string, Record<string, ConfValue>> = {}
  for (const layer of [own, chosen, sections])
    for (const [name, settings] of Object.entries(layer)) merged[name] = { ...merged[name], ...settings }
  return merged
}

/** The file. WSL reads a value up to the end of the line; one with a quote or a hash needs quotes around it. */
export function renderConf(sections: ConfSections): string {
  const order = Object.keys(known)
  const names = Object.keys(sections).toSorted((one, other) => order.indexOf(one) - order.indexOf(other))
  const blocks = names.map((name) => {
    const lines = Object.entries(sections[name] ?? {}).map(([key, value]) => `${key} = ${renderValue(value)}`)
    return [`[${name}]`, ...lines, ''].join('\n')
  })
  return [
    '# Written by holm from the blueprint; changes are lost when the environment is created again.',
    ...blocks,
  ].join('\n')
}

function renderValue(value: ConfValue): string {
  const written = String(value)
  if (typeof value !== 'string' || /^[\w./,=:;+-]+$/.test(written)) return written
  return `"${written.replaceAll('\\', '\\\\').replaceAll('"', String.raw`\"`)}"`
}

/** HOLM_BLUEPRINT_INVALID when folders of Windows are asked for in a distribution that does not see Windows' drives. */
export function assertDrivesVisible(sections: ConfSections, sources: readonly string[]): void {
  const [source] = sources
  if (source === undefined || sections['automount']?.['enabled'] !== false) return
  throw new HolmError(
    'HOLM_BLUEPRINT_INVALID',
    `"${source}" cannot be mounted: wsl.conf has automount.enabled = false`,
    {
      hint: 'Remove the mount, choose another profile, or set automount.enabled to true in providers.wsl.sections.',
      details: { source },
    },
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
