import { render, type Operation, type Renderer } from './plan.ts'
import { quote } from './quote.ts'
import type { SandboxRecord } from './record.ts'

/** A mounted file system of this machine. */
export interface MountEntry {
  readonly target: string
  /** Per-mount flags: "rw", "nosuid", … */
  readonly flags: readonly string[]
}

/** Entries of /proc/self/mountinfo. Spaces in paths are written as \040 there. */
export function parseMountinfo(text: string): MountEntry[] {
  return text
    .split('\n')
    .map((line) => line.split(' '))
    .filter((fields) => fields.length > 6)
    .map((fields) => ({ target: unescapeOctal(fields[4] ?? ''), flags: (fields[5] ?? '').split(',') }))
}

function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCodePoint(Number.parseInt(octal, 8)),
  )
}

export interface BuildFacts {
  readonly mounts: readonly MountEntry[]
  /** Words that start this machine's `umount` when `/dev/.old` is the only way to it. */
  readonly umount: readonly string[]
}

/**
 * What bubblewrap does, with mount(8) alone: script of PID 1 in the new namespaces. It runs as the folder's root, before
 * any program of the base: nothing of the base is ever executed here. At the end it only waits, and so reaps orphans.
 */
export function buildScript(record: SandboxRecord, plan: readonly Operation[], facts: BuildFacts): string {
  const renderer = shellRenderer(facts)
  return [
    'set -e',
    'read h _ </proc/self/stat',
    'echo "init $h" >&3',
    'r=$PWD/root',
    ...(plan[0]?.op === 'root' ? [] : ['mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs "$r"']),
    ...plan.flatMap((step) => render(renderer, step)),
    `hostname -- ${quote(record.hostname)} 2>/dev/null || echo ${quote(record.hostname)} >/proc/sys/kernel/hostname || true`,
    ...(record.network === 'none'
      ? [
          'ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null || echo "lo stays down: no ip, no ifconfig"',
        ]
      : []),
    'exec 9<>gate',
    'mkdir -p "$r/dev/.old"',
    'cd "$r"',
    'pivot_root . dev/.old',
    'cd /',
    `${facts.umount.map(quote).join(' ')} -n -l /dev/.old`,
    'echo ready >&3',
    'exec 3>&-',
    // A subshell and not `sleep`: that would be a program of the base, with the powers of the builder.
    '(read _ <&9) &',
    'wait $!',
    'while :; do wait || :; read _ <&9; done',
  ].join('\n')
}

const shellRenderer = (facts: BuildFacts): Renderer => ({
  // Without nodev a device node in the base would be a way to the disks of this machine.
  root: ({ source }) => [`mount -o rbind,nosuid,nodev ${quote(source)} "$r"`],
  bind: (step) => shellBind(step, facts),
  tmpfs: (step) => [
    `[ -d ${at(step.target)} ] || mkdir -p ${at(step.target)}`,
    `mount -t tmpfs -o ${tmpfsOptions(step)} tmpfs ${at(step.target)}`,
  ],
  symlink: ({ to, target }) => [`mkdir -p ${at(parentOf(target))}`, `ln -s ${quote(to)} ${at(target)}`],
  directory: ({ target }) => [`mkdir -p ${at(target)}`],
  proc: () => [`mkdir -p ${at('/proc')}`, `mount -t proc -o nosuid,nodev,noexec proc ${at('/proc')}`],
  dev: () => shellDev(),
  seal: () => ['mount -o remount,bind,ro,nosuid,nodev "$r"'],
})

function at(target: string): string {
  return target === '/' ? '"$r"' : `"$r"${quote(target)}`
}

function parentOf(target: string): string {
  return target.slice(0, target.lastIndexOf('/')) || '/'
}

function tmpfsOptions(step: Extract<Operation, { op: 'tmpfs' }>): string {
  const size = step.sizeBytes === undefined ? '' : `,size=${step.sizeBytes}`
  return `mode=${step.mode},nosuid,nodev${size}${step.readonly === true ? ',ro' : ''}`
}

function shellBind(step: Extract<Operation, { op: 'bind' }>, facts: BuildFacts): string[] {
  const source = quote(step.source)
  const target = at(step.target)
  const parent = at(parentOf(step.target))
  const below =
    step.readonly && step.device !== true
      ? facts.mounts.filter((mount) => isBelow(mount.target, step.source))
      : []
  return [
    `if [ -e ${target} ]; then :; elif [ -d ${source} ]; then mkdir -p ${target}; else [ -d ${parent} ] || mkdir -p ${parent}; : >${target}; fi`,
    step.device === true
      ? `mount --rbind ${source} ${target}`
      : // mount(8) binds first and changes the flags then: one process for both.
        `mount -o rbind,${bindFlags(flagsOf(step.source, facts), step.readonly)} ${source} ${target}`,
    // Only the top of a recursive bind becomes read-only: each file system below it needs its own word.
    ...below.map((mount) => {
      const place = at(step.target + mount.target.slice(step.source === '/' ? 0 : step.source.length))
      return `mount -o remount,bind,${bindFlags(mount.flags, true)} ${place}`
    }),
  ]
}

function isBelow(target: string, source: string): boolean {
  return target !== source && target.startsWith(source.endsWith('/') ? source : `${source}/`)
}

/** Flags of the file system a path lies on: a user namespace may not drop them. */
function flagsOf(source: string, facts: BuildFacts): readonly string[] {
  const holding = facts.mounts.filter((mount) => mount.target === source || isBelow(source, mount.target))
  return (
    holding.reduce<MountEntry | undefined>(
      (best, mount) => (best && best.target.length > mount.target.length ? best : mount),
      undefined,
    )?.flags ?? []
  )
}

const keptFlags = new Set(['noexec', 'noatime', 'nodiratime', 'relatime'])

function bindFlags(flags: readonly string[], readonly: boolean): string {
  const ro = readonly || flags.includes('ro')
  return [ro ? 'ro' : 'rw', 'nosuid', 'nodev', ...flags.filter((flag) => keptFlags.has(flag))].join(',')
}

const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty']

function shellDev(): string[] {
  return [
    `mkdir -p ${at('/dev')}`,
    `mount -t tmpfs -o mode=0755,nosuid tmpfs ${at('/dev')}`,
    ...devices.flatMap((name) => [
      `: >${at(`/dev/${name}`)}`,
      `mount --bind /dev/${name} ${at(`/dev/${name}`)}`,
    ]),
    `mkdir ${at('/dev/pts')} ${at('/dev/shm')} ${at('/dev/.old')}`,
    `mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs ${at('/dev/shm')}`,
    ...[
      ['pts/ptmx', 'ptmx'],
      ['/proc/self/fd', 'fd'],
      ['/proc/self/fd/0', 'stdin'],
      ['/proc/self/fd/1', 'stdout'],
      ['/proc/self/fd/2', 'stderr'],
    ].map(([to = '', name = '']) => `ln -s ${to} ${at(`/dev/${name}`)}`),
  ]
}
