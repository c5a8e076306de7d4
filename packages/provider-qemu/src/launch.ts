import { createHash, randomBytes } from 'node:crypto'
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HolmError, abortError, assertNotAborted, isHolmError } from '@holm/core'
import type { PortBinding, ProviderContext } from '@holm/core'
import { addresses, fileNames, machineArgv, macFrom, type MachineConfig } from './argv.ts'
import { cloudSeed } from './cloud-init.ts'
import { gaveUp, isReady, isWaiting, lastLines, parseCause } from './console.ts'
import { cpioKinds, createCpio } from './cpio.ts'
import { diskFile } from './disks.ts'
import { storageError } from './files-on-disk.ts'
import { encodeBootConfig, encodeGuestConfig, type GuestConfig } from './guest-config.ts'
import { blockBytes, defaultDiskBytes } from './image.ts'
import { prepareKernel, type Kernel } from './kernel.ts'
import { planLimits } from './limits.ts'
import { waitForMemory } from './memory.ts'
import { identify, isAlive, sendSignal } from './processes.ts'
import { parseUsernet, withQmp, type Forward } from './qmp.ts'
import type { Machine, QemuRecord } from './record.ts'
import { architectureOf, type Session } from './session.ts'
import { makeVolumes, planMounts } from './shares.ts'
import { findProcess } from './state.ts'
import {
  findWarmStart,
  forgetWarmStart,
  keepWarmStart,
  linkWarmStart,
  makeOf,
  withConfigured,
  type WarmStart,
} from './warm.ts'

export interface Launch {
  /** For a look at the files: no ports are published. */
  readonly hidden?: true | undefined
}

const bootDeadlineMs = { kvm: 60_000, tcg: 180_000 } as const

/** The cards of an environment: the same for all of its life, another for a clone. */
export function macsOf({ id }: Pick<QemuRecord, 'id'>): { readonly card: string; readonly control: string } {
  const mac = (role: string): string => macFrom(createHash('sha256').update(`${role} ${id}`).digest())
  return { card: mac('card'), control: mac('control') }
}

/** Everything the command line of the machine is made of. */
export async function planMachine(
  session: Session,
  record: QemuRecord,
  {
    kernel,
    hidden,
    ctx,
  }: { readonly kernel: Kernel; readonly hidden?: true | undefined; readonly ctx: ProviderContext },
): Promise<MachineConfig> {
  const architecture = architectureOf(session, record)
  const { accelerator } = record.options.accelerator
    ? { accelerator: record.options.accelerator }
    : await session.accelerator(ctx, architecture)
  const { cores, memoryMiB } = planLimits(record.resources, accelerator)
  const macs = macsOf(record)
  return {
    architecture,
    accelerator,
    ...(record.options.cpu === undefined ? {} : { cpu: record.options.cpu }),
    name: record.name,
    id: record.id,
    cores,
    memoryMiB,
    kernel: kernel.image,
    initrd: fileNames.initrd,
    disk: diskFile(session.layout, record.disk),
    shares: planMounts(session.layout, record).shares,
    ...(record.network === 'none' ? {} : { card: { mac: macs.card, ports: hidden ? [] : record.ports } }),
    controlMac: macs.control,
    ...(accelerator === 'tcg' && !isWhole(record) ? { channel: true as const } : {}),
  }
}

/** Has an init system of its own, and needs more of the kernel. */
function isWhole({ base, main }: QemuRecord): boolean {
  return base.kind === 'disk' || main === 'base'
}

/** The kernel the environment boots with. */
export function kernelOf(session: Session, record: QemuRecord, ctx: ProviderContext): Promise<Kernel> {
  return prepareKernel(
    {
      architecture: architectureOf(session, record),
      native: session.architecture,
      cache: session.options.paths.cache,
      env: session.toolEnv,
      options: record.options,
      whole: isWhole(record),
      nestedDocker: record.nestedDocker === true,
    },
    ctx,
  )
}

/** Boots the machine and returns when programs can be started in it. After a failure nothing of it runs. */
export async function bootMachine(
  session: Session,
  record: QemuRecord,
  { hidden, ctx }: Launch & { readonly ctx: ProviderContext },
): Promise<Machine> {
  const folder = session.folder(record.name)
  const kernel = await kernelOf(session, record, ctx)
  await makeVolumes(session.layout, record)
  const config = await planMachine(session, record, { kernel, hidden, ctx })
  const start: Start = { record, config, kernel, folder, running: { ...(hidden ? { hidden } : {}), ctx } }
  if (config.channel) return startWarm(session, start)
  await writeInitrd(session, start, guestConfigOf(session, start))
  return runMachine(session, record, {
    ...start.running,
    config,
    extra: [],
    ready: (ended) => waitForBoot(folder, { ...config, ended }, ctx),
  })
}

interface Start {
  readonly record: QemuRecord
  readonly config: MachineConfig
  readonly kernel: Kernel
  readonly folder: string
  readonly running: Launch & { readonly ctx: ProviderContext }
}

/** Goes on from the memory of a machine of the same make; the first of its make starts its kernel, and keeps its memory for others. */
async function startWarm(session: Session, start: Start): Promise<Machine> {
  const { config, folder, running } = start
  const { cache } = session.options.paths
  const make = makeOf(config, await session.version(running.ctx, config.architecture))
  const warm = await findWarmStart(cache, make)
  if (warm !== undefined) {
    const machine = await goOn(session, start, warm).catch(async (error: unknown) => {
      const console = await readFile(path.join(folder, fileNames.console), 'utf8').catch(() => '')
      if (running.ctx.signal.aborted || isHolmError(error, 'HOLM_PORT_TAKEN') || gaveUp(console)) throw error
      running.ctx.log.info(
        `the kernel is started anew: ${error instanceof Error ? error.message : String(error)}`,
      )
      await forgetWarmStart(cache, make)
    })
    if (machine !== undefined) return machine
  }
  await writeInitrd(
    session,
    start,
    encodeBootConfig({ architecture: config.architecture, modules: split(start.kernel).early }),
  )
  return runMachine(session, start.record, {
    ...running,
    config,
    extra: [],
    ready: async (ended) => {
      await waitForBoot(folder, { ...config, ended, isThere: isWaiting }, running.ctx)
      const { card, controlMac } = config
      const macs = { ...(card === undefined ? {} : { card: card.mac }), control: controlMac }
      await keepWarmStart({ cache, make, folder, macs }, running.ctx)
      await withConfigured(folder, guestConfigOf(session, start), () =>
        waitForBoot(folder, { ...config, ended }, running.ctx),
      )
    },
  })
}

async function goOn(session: Session, start: Start, warm: WarmStart): Promise<Machine> {
  const { config, folder, record, running } = start
  const name = await linkWarmStart(warm, folder)
  await writeFile(path.join(folder, fileNames.initrd), '')
  return runMachine(session, record, {
    ...running,
    config,
    extra: ['-incoming', `exec:cat ${name}`],
    ready: async (ended) => {
      await waitForMemory(folder, ended, running.ctx)
      await withConfigured(folder, guestConfigOf(session, start, warm), () =>
        waitForBoot(folder, { ...config, ended }, running.ctx),
      )
    },
  })
}

/** Drivers of what differs between machines of one make look at it when they are loaded: that is after the configuration came. */
const lateModules = new Set(['virtio_blk', 'virtio_net', '9pnet_virtio'])

function split({ modules }: Kernel): { readonly early: readonly string[]; readonly late: readonly string[] } {
  const isLate = (name: string): boolean => lateModules.has(name)
  return { early: modules.filter((name) => !isLate(name)), late: modules.filter(isLate) }
}

interface Running extends Launch {
  readonly config: MachineConfig
  readonly extra: readonly string[]
  readonly ctx: ProviderContext
  readonly ready: (ended: () => boolean) => Promise<void>
}

/** Starts QEMU and waits. It outlives holm: who comes later finds it by the number in its folder and its id. */
export async function runMachine(
  session: Session,
  record: QemuRecord,
  { config, extra, hidden, ctx, ready }: Running,
): Promise<Machine> {
  const folder = session.folder(record.name)
  assertNotAborted(ctx.signal)
  const stale = [fileNames.pid, fileNames.control, fileNames.channel, fileNames.output, fileNames.console]
  for (const name of stale) await rm(path.join(folder, name), { force: true })
  const process = await ctx.runner.spawn([...machineArgv(config), ...extra], {
    cwd: folder,
    env: session.toolEnv,
    detached: { logFile: path.join(folder, fileNames.output) },
  })
  let ended = false
  void process.exited.then(
    () => (ended = true),
    () => (ended = true),
  )
  try {
    await ready(() => ended)
    const forwards = await withQmp(folder, async (qmp) => parseUsernet(await qmp.monitor('info usernet')))
    const control = forwards.find((each) => each.network === 'control')
    if (control === undefined || process.pid === undefined)
      throw new HolmError('HOLM_ENVIRONMENT_FAILED', 'QEMU tells of no way into the machine')
    return {
      pid: process.pid,
      startedAt: new Date().toISOString(),
      accelerator: config.accelerator,
      control: control.host,
      ports: hidden ? [] : bindingsOf(record, forwards),
      limits: planLimits(record.resources).applied,
      ...(hidden ? { hidden } : {}),
    }
  } catch (error) {
    await process.kill('SIGKILL')
    if (process.pid !== undefined) await waitForEnd(process.pid, 10_000)
    if (ctx.signal.aborted) throw abortError(ctx.signal)
    throw await failureOf(record, folder, error)
  }
}

/** What was asked for, with the ports QEMU chose. */
function bindingsOf({ ports }: QemuRecord, forwards: readonly Forward[]): PortBinding[] {
  const free = forwards.filter((each) => each.network !== 'control')
  return ports.flatMap(({ container, protocol, hostIp, host }) => {
    const index = free.findIndex(
      (each) =>
        each.container === container &&
        each.protocol === protocol &&
        (host === undefined || each.host === host),
    )
    const [found] = index < 0 ? [] : free.splice(index, 1)
    return found ? [{ container, host: found.host, hostIp, protocol }] : []
  })
}

/** What the machine is told of itself. */
function guestConfigOf(session: Session, { record, config, kernel }: Start, warm?: WarmStart): string {
  const { cpus, memoryBytes, pids } = planLimits(record.resources)
  const macs = macsOf(record)
  return encodeGuestConfig({
    architecture: config.architecture,
    token: record.token,
    hostname: record.hostname,
    root: '/dev/vda',
    ...(record.base.kind === 'disk'
      ? { filesystems: ['ext4', 'xfs', 'btrfs'], search: true, seed: cloudSeed(record) }
      : { filesystems: ['ext4'] }),
    ...((record.resources.diskBytes ?? 0) === defaultDiskBytes ? {} : { grow: blockBytes }),
    main: record.base.kind === 'disk' ? 'base' : record.main,
    ...(record.network === 'none' ? {} : { mac: macs.card }),
    controlMac: macs.control,
    address: addresses.machine,
    gateway: addresses.gateway,
    dns: addresses.dns,
    modules: config.channel ? split(kernel).late : kernel.modules,
    mounts: planMounts(session.layout, record).mounts,
    ...(cpus === undefined ? {} : { cpus }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(pids === undefined ? {} : { pids }),
    randomness: randomBytes(64),
    ...(warm === undefined ? {} : { restored: restoredFrom(warm) }),
  })
}

function restoredFrom({ macs }: WarmStart): NonNullable<GuestConfig['restored']> {
  const time = Math.round(Date.now() / 1000)
  return { time, controlMac: macs.control, ...(macs.card === undefined ? {} : { mac: macs.card }) }
}

async function writeInitrd(session: Session, { record, kernel }: Start, config: string): Promise<void> {
  const file = path.join(session.folder(record.name), fileNames.initrd)
  await rm(file, { force: true })
  try {
    await copyFile(kernel.initramfs, file)
    const archive = createCpio([
      { path: 'holm/config', mode: cpioKinds.file | 0o600, data: Buffer.from(config) },
    ])
    await writeFile(file, archive, { flag: 'a' })
  } catch (error) {
    throw storageError(file, error)
  }
}

async function waitForBoot(
  folder: string,
  {
    accelerator,
    ended,
    isThere = isReady,
  }: Pick<MachineConfig, 'accelerator'> & {
    readonly ended: () => boolean
    readonly isThere?: (console: string) => boolean
  },
  ctx: ProviderContext,
): Promise<void> {
  const deadline = bootDeadlineMs[accelerator]
  const until = Date.now() + deadline
  const file = path.join(folder, fileNames.console)
  for (;;) {
    assertNotAborted(ctx.signal)
    // Looked at before reading: what is written before the end is read after it was seen.
    const gone = ended()
    if (isThere(await readFile(file, 'latin1').catch(() => ''))) return
    if (gone) throw new HolmError('HOLM_ENVIRONMENT_FAILED', 'the machine ended while it started')
    if (Date.now() > until)
      throw new HolmError('HOLM_TIMEOUT', `the machine was not ready in ${deadline / 1000} s`)
    await sleep(10)
  }
}

/** Why a machine is not there, from what QEMU and its console said last. */
async function failureOf(record: QemuRecord, folder: string, error: unknown): Promise<HolmError> {
  const console = await readFile(path.join(folder, fileNames.console), 'utf8').catch(() => '')
  const output = await readFile(path.join(folder, fileNames.output), 'utf8').catch(() => '')
  const forward = /Could not set up host forwarding rule '(\w+):([\d.]*):(\d+)-/.exec(output)
  if (forward) {
    const [, , address, port] = forward
    return new HolmError('HOLM_PORT_TAKEN', `port ${port} of ${address || '0.0.0.0'} is in use`, {
      hint: 'Stop what uses it, or publish on another port.',
      details: { port: Number(port) },
    })
  }
  const timeout = isHolmError(error, 'HOLM_TIMEOUT')
  const cause = parseCause(console) ?? (timeout ? error.message : 'the machine ended while it started')
  const tail = lastLines(output) || lastLines(console)
  return new HolmError(
    timeout ? 'HOLM_TIMEOUT' : 'HOLM_ENVIRONMENT_FAILED',
    `environment ${record.name} does not start: ${cause}${tail === '' ? '' : ` (${tail})`}`,
    { hint: `Look at ${path.join(folder, fileNames.console)}.`, cause: error },
  )
}

/** Ends whatever machine of the environment there is, at once. */
export async function killMachine(record: QemuRecord, folder: string): Promise<void> {
  await endProcess(findProcess(record, folder))
}

/** SIGKILL, and returns when it has ended. */
export async function endProcess(pid: number | undefined): Promise<void> {
  if (pid === undefined) return
  sendSignal(pid, 'SIGKILL')
  await waitForEnd(pid, 10_000)
}

/** True when the process ended in time. */
export async function waitForEnd(pid: number, deadlineMs: number): Promise<boolean> {
  const until = Date.now() + deadlineMs
  const begun = identify(pid)
  const ended = (): boolean => begun === undefined || !isAlive(begun)
  while (!ended()) {
    if (Date.now() > until) return false
    await sleep(5)
  }
  return true
}
