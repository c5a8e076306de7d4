import type { PortRequest } from '@holm/core'
import { channelName } from './guest-config.ts'

export type Accelerator = 'kvm' | 'tcg'
export type Architecture = 'x86_64' | 'aarch64'

/** What a machine is made of. Relative names are in the folder it is started in: a path to a socket may not be long. */
export interface MachineConfig {
  readonly architecture: Architecture
  readonly accelerator: Accelerator
  readonly cpu?: string
  readonly name: string
  readonly id: string
  readonly cores: number
  readonly memoryMiB: number
  readonly kernel: string
  readonly initrd: string
  /** Absolute path of the disk. */
  readonly disk: string
  /** Folders of this machine, by tag. */
  readonly shares: readonly Share[]
  /** Network card of the environment; absent: none. */
  readonly card?: { readonly mac: string; readonly ports: readonly PortRequest[] }
  /** MAC of the card that holm talks through. */
  readonly controlMac: string
  /** It is told what it is through a channel, instead of in its first file system. */
  readonly channel?: true
}

export interface Share {
  readonly tag: string
  readonly source: string
  readonly readonly: boolean
  /** Owners and modes as they are on this machine, or kept in attributes of the files where they cannot be. */
  readonly owners: 'same' | 'mapped'
}

export const fileNames = {
  control: 'qmp.sock',
  channel: 'config.sock',
  pid: 'qemu.pid',
  console: 'console.log',
  log: 'main.log',
  initrd: 'initrd',
  output: 'qemu.log',
} as const

/** The address of every machine in its own network, and of what QEMU plays for it. */
export const addresses = { machine: '10.0.2.15', gateway: '10.0.2.2', dns: '10.0.2.3' } as const

/** Pure. `incoming`: wait for a saved memory instead of booting. */
export function machineArgv(config: MachineConfig): string[] {
  const { architecture, memoryMiB, cores } = config
  return [
    `qemu-system-${architecture}`,
    '-name',
    `holm-${config.name}`,
    '-uuid',
    config.id,
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-no-reboot',
    '-accel',
    config.accelerator,
    '-machine',
    machineType(architecture),
    '-cpu',
    cpuOf(config),
    '-smp',
    String(cores),
    '-m',
    `${memoryMiB}M`,
    '-kernel',
    config.kernel,
    '-initrd',
    config.initrd,
    '-append',
    kernelWords(config),
    '-pidfile',
    fileNames.pid,
    '-qmp',
    `unix:${fileNames.control},server=on,wait=off`,
    '-chardev',
    `file,id=console,path=${fileNames.console}`,
    '-serial',
    'chardev:console',
    '-chardev',
    `file,id=log,path=${fileNames.log},append=on`,
    '-device',
    'virtio-serial-pci',
    '-device',
    'virtconsole,chardev=log',
    ...(config.channel ? channelArgv() : []),
    ...diskArgv(config.disk),
    ...networkArgv(config),
    ...config.shares.flatMap(shareArgv),
  ]
}

function channelArgv(): string[] {
  return [
    '-chardev',
    `socket,id=config,path=${fileNames.channel},server=on,wait=off`,
    '-device',
    `virtserialport,chardev=config,name=${channelName}`,
  ]
}

function machineType(architecture: Architecture): string {
  return architecture === 'x86_64'
    ? 'q35,sata=off,smbus=off,usb=off,vmport=off,hpet=off'
    : 'virt,gic-version=max'
}

/** Emulated, a processor with fewer abilities is quicker: programs use those that are costly to emulate when they see them. */
function cpuOf({ cpu, accelerator, architecture }: MachineConfig): string {
  if (cpu !== undefined) return cpu
  if (accelerator === 'kvm') return 'host'
  return architecture === 'x86_64' ? 'Nehalem' : 'cortex-a72'
}

/** `panic=-1` with -no-reboot: a kernel that gives up ends the machine, and the console says why. */
function kernelWords({ architecture, accelerator }: MachineConfig): string {
  const console = architecture === 'x86_64' ? 'ttyS0' : 'ttyAMA0'
  // Nothing there to protect from itself, and half a second for events of the kernel that nobody asks for.
  const tuned =
    accelerator === 'tcg' ? ['mitigations=off', 'nokaslr', 'initcall_blacklist=init_kprobe_trace'] : []
  return [
    `console=${console}`,
    'quiet',
    'panic=-1',
    'net.ifnames=0',
    'random.trust_bootloader=on',
    'cryptomgr.notests',
    // The kernel gives up where its timer is late, which on a busy machine is no fault of the timer.
    ...(architecture === 'x86_64'
      ? ['8250.nr_uarts=1', 'i8042.noaux', 'tsc=reliable', 'no_timer_check']
      : []),
    ...tuned,
  ].join(' ')
}

export const diskNode = 'disk'

export function diskNodeOf(file: string, node: string): Record<string, unknown> {
  return {
    driver: 'qcow2',
    'node-name': node,
    discard: 'unmap',
    file: { driver: 'file', filename: file, discard: 'unmap' },
  }
}

function diskArgv(disk: string): string[] {
  return [
    '-blockdev',
    JSON.stringify(diskNodeOf(disk, diskNode)),
    '-device',
    `virtio-blk-pci,drive=${diskNode},id=root`,
  ]
}

function networkArgv({ card, controlMac }: MachineConfig): string[] {
  const control = `user,id=control,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-${addresses.machine}:1`
  return [
    ...(card === undefined
      ? []
      : [
          '-netdev',
          ['user,id=net,ipv6=off', ...card.ports.map(forward)].join(','),
          '-device',
          `virtio-net-pci,netdev=net,mac=${card.mac},romfile=`,
        ]),
    '-netdev',
    control,
    '-device',
    `virtio-net-pci,netdev=control,mac=${controlMac},romfile=`,
  ]
}

function forward({ protocol, hostIp, host = 0, container }: PortRequest): string {
  return `hostfwd=${protocol}:${hostIp}:${host}-${addresses.machine}:${container}`
}

function shareArgv({ tag, source, readonly, owners }: Share): string[] {
  // A comma ends a value, two are one.
  const path = source.replaceAll(',', ',,')
  const model = owners === 'same' ? 'none' : 'mapped-xattr'
  const options = `local,id=${tag},path=${path},security_model=${model},multidevs=remap${readonly ? ',readonly=on' : ''}`
  return ['-fsdev', options, '-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`]
}

/** A MAC of the range for local use, the same for the same words. */
export function macFrom(digest: Uint8Array): string {
  const bytes = [0x52, 0x54, 0, ...digest.subarray(0, 3)]
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}
