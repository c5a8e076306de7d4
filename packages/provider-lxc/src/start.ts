import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { HolmError, assertNotAborted } from '@holm/core'
import type { Mount, ProviderContext } from '@holm/core'
import { loadCgroupMounts, planLimits, versionOf, type LimitFacts, type LimitPlan } from './cgroup.ts'
import { buildConfig, type DeviceNode, type MountEntry, type NetworkSetting } from './config.ts'
import { findContainer, pidFile } from './container.ts'
import { isDelegated } from './delegation.ts'
import { endContainer, removeGroups } from './end.ts'
import { resolveInside } from './files-on-disk.ts'
import { layersOf, writeMountScript } from './layers.ts'
import { volumeFolder } from './layout.ts'
import { joinNetwork, leaveNetwork } from './network.ts'
import { loadBootId, readText } from './processes.ts'
import { readIfThere, saveRun, type LxcRecord } from './record.ts'
import { etcFiles } from './etc-files.ts'
import type { Session } from './session.ts'
import { toolError } from './tools.ts'

const startDeadlineMs = 60_000

/** Starts the container of a stopped environment. What fails or is aborted leaves it stopped. */
export async function startContainer(
  session: Session,
  record: LxcRecord,
  ctx: ProviderContext,
): Promise<void> {
  const folder = session.folder(record.name)
  const main = mainArgv(record, folder)
  const facts = loadLimitFacts(session)
  const plan = planLimits(record.resources, facts)
  const entries = await prepareMounts(session, record)
  try {
    const { setting, ports } = await joinNetwork(session, record, ctx)
    assertNotAborted(ctx.signal)
    await removeGroups(session.container(record.name))
    writeFiles(session, record, { setting, entries, plan, facts })
    await saveRun(folder, {
      boot: loadBootId(),
      startedAt: new Date().toISOString(),
      ports,
      limits: plan.limits,
    })
    await launch(session, record, { main, ctx })
    assertNotAborted(ctx.signal)
  } catch (error) {
    await endContainer(session, record, { graceMs: 0, ctx })
    await leaveNetwork(session, record.name, ctx)
    throw error
  }
}

/** PID 1 that only stays: it collects orphans, and ends when it is told to. */
const holdScript = 'trap "exit 0" TERM INT; while :; do sleep 2147483647 & wait $!; done'

const inits = ['/sbin/init', '/usr/sbin/init', '/lib/systemd/systemd', '/usr/lib/systemd/systemd', '/init']

function mainArgv(record: LxcRecord, folder: string): string[] {
  if (record.main === 'hold') return ['/bin/sh', '-c', holdScript]
  const layers = layersOf(record, folder)
  const init = inits.find((file) => resolveInside(layers, file).kind === 'file')
  if (init !== undefined) return [init]
  throw new HolmError(
    'HOLM_ENVIRONMENT_FAILED',
    `base ${record.base.kind === 'host' ? '' : baseName(record)} has no init system to start`,
    {
      hint: 'Use `main: hold`, or a base with systemd, OpenRC or busybox init in it.',
    },
  )
}

function baseName({ base }: LxcRecord): string {
  return 'name' in base ? base.name : base.kind
}

/** A runaway loop ends before the machine does. */
const defaultPids = 4096

/** What this machine can enforce, for this user. */
export function loadLimitFacts(session: Session): LimitFacts {
  const mounts = loadCgroupMounts()
  const root = session.settings.caller.uid === 0
  const memory = mounts.v1.memory
  return {
    mounts,
    usable: (version, controller) => root || (version === 2 && isDelegated(mounts, controller)),
    swap: memory !== undefined && existsSync(path.join(memory, 'memory.memsw.limit_in_bytes')),
    defaultPids,
  }
}

const profiles = ['/usr/share/lxc/config/common.seccomp', '/usr/local/share/lxc/config/common.seccomp']

interface Prepared {
  readonly setting: NetworkSetting
  readonly entries: readonly MountEntry[]
  readonly plan: LimitPlan
  readonly facts: LimitFacts
}

function writeFiles(session: Session, record: LxcRecord, prepared: Prepared): void {
  const folder = session.folder(record.name)
  const etc = etcFiles(record, { folder, setting: prepared.setting })
  const config = buildConfig({
    record,
    folder,
    network: prepared.setting,
    mounts: [...etc, ...prepared.entries],
    devices: record.security.devices.map((device) => describeDevice(device)),
    limits: prepared.plan.values,
    deviceGroups: record.idMap ? undefined : versionOf('devices', prepared.facts),
    seccompProfile: profiles.find((file) => existsSync(file)),
    appArmor: readText('/sys/module/apparmor/parameters/enabled').startsWith('Y'),
  })
  const home = path.join(folder, session.container(record.name))
  mkdirSync(home, { recursive: true, mode: 0o711 })
  writeFileSync(path.join(home, 'config'), config, { mode: 0o600 })
  writeMountScript(folder, record)
  for (const file of [pidFile(folder), path.join(folder, 'lxc.log')]) rmSync(file, { force: true })
}

function describeDevice(device: string): DeviceNode {
  const found = statSync(device, { throwIfNoEntry: false })
  if (found === undefined || !(found.isCharacterDevice() || found.isBlockDevice())) {
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `${device} is no device of this machine`, {
      hint: 'Correct `security.devices` in the blueprint.',
    })
  }
  const { rdev } = found
  // As the C library packs them.
  const major = (rdev >>> 8) & 0xfff
  const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00)
  return { path: device, type: found.isBlockDevice() ? 'b' : 'c', major, minor }
}

/** Everything about the mounts that has to be looked up. Folders of volumes are made here. */
async function prepareMounts(session: Session, record: LxcRecord): Promise<MountEntry[]> {
  const folder = session.folder(record.name)
  const layers = layersOf(record, folder)
  return Promise.all(
    record.mounts.map((mount, index) => prepareMount(session, { mount, index, folder, layers })),
  )
}

interface MountPlace {
  readonly mount: Mount
  readonly index: number
  readonly folder: string
  readonly layers: readonly string[]
}

async function prepareMount(
  session: Session,
  { mount, index, folder, layers }: MountPlace,
): Promise<MountEntry> {
  // Links of the base are followed here: LXC refuses to mount through them.
  const target = resolveInside(layers, mount.target).inner
  if (mount.type === 'tmpfs') {
    const size = mount.sizeBytes === undefined ? {} : { sizeBytes: mount.sizeBytes }
    return { kind: 'tmpfs', source: 'tmpfs', target, file: false, readonly: false, ...size }
  }
  if (mount.type === 'volume') {
    const source = volumeFolder(session.layout, folder, {
      ...(mount.source === undefined ? {} : { source: mount.source }),
      index,
    })
    await mkdir(source, { recursive: true, mode: 0o755 })
    return { kind: 'bind', source, target, file: false, readonly: mount.readonly }
  }
  const found = statSync(mount.source, { throwIfNoEntry: false })
  if (found === undefined) {
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `${mount.source} is to be mounted and does not exist`, {
      hint: 'Make it, or correct the mount in the blueprint.',
      details: { source: mount.source },
    })
  }
  return { kind: 'bind', source: mount.source, target, file: !found.isDirectory(), readonly: mount.readonly }
}

async function launch(
  session: Session,
  record: LxcRecord,
  { main, ctx }: { readonly main: readonly string[]; readonly ctx: ProviderContext },
): Promise<void> {
  const folder = session.folder(record.name)
  const log = path.join(folder, 'lxc.log')
  const words = ['lxc-start', '-P', folder, '-n', session.container(record.name), '-d', '-p', pidFile(folder)]
  // Not aborted in the middle: it takes milliseconds, and what it left behind would have to be found.
  const argv = [...words, '-o', log, '-l', 'WARN', '--', ...main]
  const { code, stderr } = await ctx.runner.run(argv, {
    cwd: '/',
    env: session.env,
    timeoutMs: startDeadlineMs,
  })
  if (code === 0 && findContainer(folder) !== undefined) return
  const text = parseLog((await readIfThere(log)) ?? '') || stderr
  if (code === 0) {
    const said = lastConsole(path.join(folder, 'console.log'))
    throw toolError(`start environment ${record.name}: its main process ended at once`, said || text)
  }
  throw toolError(`start environment ${record.name}`, text || `lxc-start ended with code ${code}`)
}

/** LXC's own words without time, file and line; the first problem is the cause. */
export function parseLog(text: string): string {
  return text
    .split('\n')
    .map((line) => /\b(?:ERROR|WARN)\s+\w+ - \S+ - (.*)$/.exec(line)?.[1] ?? '')
    .filter(Boolean)
    .slice(0, 3)
    .join('\n')
}

function lastConsole(file: string): string {
  if (!existsSync(file) || !lstatSync(file).isFile()) return ''
  return readFileSync(file, 'utf8').slice(-2000).trim()
}
