import type { Share } from './argv.ts'

/** What the machine's PID 1 (guest/init.pl) reads from /holm/config. */
export interface GuestConfig {
  readonly architecture: string
  readonly token: string
  readonly hostname: string
  /** Device of the root file system, and the file systems to try. */
  readonly root: string
  readonly filesystems: readonly string[]
  /** Look for the root among the file systems of the device. */
  readonly search?: true
  /** Path to content, written where the base has cloud-init. */
  readonly seed?: Readonly<Record<string, string>>
  /** Block size of the file system, when the disk may have grown. */
  readonly grow?: number
  /** 'hold', or the path of an init system inside. */
  readonly main: string
  readonly mac?: string
  readonly controlMac: string
  readonly address: string
  readonly gateway: string
  readonly dns: string
  readonly modules: readonly string[]
  readonly mounts: readonly GuestMount[]
  readonly pids?: number
  /** Cores, when they are no whole number: the kernel shares them out. */
  readonly cpus?: number
  /** Bytes for programs, where the machine itself has more. */
  readonly memoryBytes?: number
  /** Random bytes. */
  readonly randomness: Uint8Array
  /** Of a machine that goes on from the memory of another: the time, and the addresses that its cards still have. */
  readonly restored?: { readonly time: number; readonly mac?: string; readonly controlMac: string }
}

/** What all machines of one make begin with: they wait for the rest on a channel of that name. */
export function encodeBootConfig(config: {
  readonly architecture: string
  readonly modules: readonly string[]
}): string {
  const words = { arch: config.architecture, channel: channelName }
  const lines = Object.entries(words).map(([key, value]) => `${key} ${hex(value)}`)
  return [...lines, ...config.modules.map((name) => `module ${name}`), ''].join('\n')
}

export const channelName = 'holm.config'

export interface GuestMount {
  readonly kind: '9p' | 'tmpfs'
  /** Tag of the share. */
  readonly source: string
  readonly target: string
  readonly readonly: boolean
  readonly options: string
}

/** Lines of a word and hexadecimal values: nothing in them needs quotes. */
export function encodeGuestConfig(config: GuestConfig): string {
  const values: Readonly<Record<string, string | undefined>> = {
    arch: config.architecture,
    token: config.token,
    hostname: config.hostname,
    root: config.root,
    filesystem: config.filesystems.join(','),
    search: config.search ? '1' : undefined,
    grow: config.grow?.toString(),
    main: config.main,
    mac: config.mac,
    control: config.controlMac,
    address: config.address,
    gateway: config.gateway,
    dns: config.mac === undefined ? undefined : config.dns,
    pids: config.pids?.toString(),
    cpu: config.cpus === undefined ? undefined : `${Math.round(config.cpus * 100_000)} 100000`,
    memory: config.memoryBytes?.toString(),
    time: config.restored?.time.toString(),
    found_mac: config.restored?.mac,
    found_control: config.restored?.controlMac,
  }
  const lines = Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key} ${hex(value)}`],
  )
  return [
    ...lines,
    `seed ${Buffer.from(config.randomness).toString('hex')}`,
    ...Object.entries(config.seed ?? {}).map(([file, text]) => `seed_file ${hex(file)} ${hex(text)}`),
    ...config.modules.map((name) => `module ${name}`),
    ...config.mounts.map((mount) => `mount ${encodeMount(mount)}`),
    '',
  ].join('\n')
}

export function encodeMount({ kind, source, target, readonly, options }: GuestMount): string {
  return [kind, hex(source), hex(target), hex(readonly ? '1' : ''), hex(options)].join(' ')
}

export function hex(word: string | number): string {
  return Buffer.from(`${word}`).toString('hex')
}

export function mountOf(share: Share, target: string): GuestMount {
  return { kind: '9p', source: share.tag, target, readonly: share.readonly, options: '' }
}
