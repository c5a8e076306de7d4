import { existsSync, readFileSync } from 'node:fs'
import type { Runner } from '@holm/core'
import type { Backend } from './record.ts'

export interface BackendProbe {
  readonly backend: Backend
  readonly version: string
}

export interface ProbeOptions {
  readonly runner: Runner
  readonly env: Readonly<Record<string, string>>
  readonly uid: number
  /** Backends to try, best first. */
  readonly backends: readonly Backend[]
}

export type BackendResult =
  | { readonly found: BackendProbe }
  | { readonly found?: undefined; readonly reason: string; readonly fix: string }

const tools = ['unshare', 'nsenter', 'setpriv', 'setsid', 'mount', 'mkfifo']

/** The first backend that really makes namespaces here. */
export async function findBackend(options: ProbeOptions): Promise<BackendResult> {
  let first = ''
  for (const backend of options.backends) {
    const { code, text } = await attempt(options, [...outerArgv(options.uid), ...trial(backend)])
    if (code === 0) return { found: { backend, version: await loadVersion(options, backend) } }
    first ||= text.trim().split('\n').at(-1) ?? ''
  }
  const missing = await findMissing(options)
  if (missing !== undefined)
    return {
      reason: `${missing} is not installed.`,
      fix: 'Install util-linux (apt-get install util-linux bubblewrap).',
    }
  return explain(loadSwitches(), first)
}

/** The namespaces are made here as for an environment: what forbids one is found before anything is made. */
function outerArgv(uid: number): string[] {
  return uid === 0 ? ['unshare', '--mount'] : ['unshare', '--user', '--map-root-user', '--mount']
}

function trial(backend: Backend): string[] {
  return backend === 'bwrap'
    ? [
        'bwrap',
        '--ro-bind',
        '/',
        '/',
        '--proc',
        '/proc',
        '--dev',
        '/dev',
        '--perms',
        '1777',
        '--tmpfs',
        '/dev/shm',
        '--unshare-pid',
        '--unshare-ipc',
        '--unshare-uts',
        '--',
        'true',
      ]
    : [
        'unshare',
        '--pid',
        '--ipc',
        '--uts',
        '--fork',
        '--kill-child',
        'sh',
        '-c',
        'mount -t proc proc /proc && command -v pivot_root && unshare --user true',
      ]
}

async function attempt(
  { runner, env }: ProbeOptions,
  argv: readonly string[],
): Promise<{ code: number; text: string }> {
  try {
    const { code, stdout, stderr } = await runner.run(argv, { env, timeoutMs: 2000 })
    return { code, text: stderr || stdout }
  } catch (error) {
    return { code: 127, text: error instanceof Error ? error.message : String(error) }
  }
}

async function loadVersion(options: ProbeOptions, backend: Backend): Promise<string> {
  const { text } = await attempt(options, [backend, '--version'])
  return text.trim().replace(/^unshare from /, '')
}

async function findMissing(options: ProbeOptions): Promise<string | undefined> {
  const { text } = await attempt(options, [
    'sh',
    '-c',
    'for t; do command -v "$t" >/dev/null || { echo "$t"; break; }; done',
    'sh',
    ...tools,
  ])
  return text.trim() || undefined
}

export interface Switches {
  /** sysctl name to its value, where the kernel has it. */
  readonly sysctl: Readonly<Record<string, string>>
  readonly userNamespaces: boolean
}

const sysctls = [
  'kernel.unprivileged_userns_clone',
  'kernel.apparmor_restrict_unprivileged_userns',
  'user.max_user_namespaces',
]

function loadSwitches(): Switches {
  const entries = sysctls.flatMap((name) => {
    try {
      return [[name, readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim()] as const]
    } catch {
      return []
    }
  })
  return { sysctl: Object.fromEntries(entries), userNamespaces: existsSync('/proc/self/ns/user') }
}

/** Why namespaces are refused, and the command that allows them. */
export function explain(
  { sysctl, userNamespaces }: Switches,
  message: string,
): { reason: string; fix: string } {
  const set = (name: string, value: string): string =>
    `Run \`sudo sysctl -w ${name}=${value}\`, and write it to /etc/sysctl.d/ to keep it.`
  if (!userNamespaces)
    return {
      reason: 'This kernel has no user namespaces.',
      fix: 'Use a kernel with CONFIG_USER_NS, or another provider.',
    }
  if (sysctl['kernel.unprivileged_userns_clone'] === '0') {
    return {
      reason: 'Ordinary users may not make user namespaces here.',
      fix: set('kernel.unprivileged_userns_clone', '1'),
    }
  }
  if (sysctl['kernel.apparmor_restrict_unprivileged_userns'] === '1') {
    return {
      reason: 'AppArmor keeps ordinary users from using user namespaces.',
      fix: set('kernel.apparmor_restrict_unprivileged_userns', '0'),
    }
  }
  if (sysctl['user.max_user_namespaces'] === '0')
    return {
      reason: 'The number of user namespaces is limited to none.',
      fix: set('user.max_user_namespaces', '15000'),
    }
  return {
    reason: `Namespaces cannot be made here: ${message || 'no message'}.`,
    fix: 'Use another provider; in a container, start that with --security-opt seccomp=unconfined --security-opt systempaths=unconfined.',
  }
}

export function limitationsOf(backend: Backend, uid: number): string[] {
  return [
    'The kernel is shared with this machine: a hole in it is a way out.',
    'The network is shared with this machine unless the blueprint asks for none: its services on 127.0.0.1 and abstract sockets can be reached, and ports are not mapped.',
    'With the base "host", programs and settings of this machine (/usr, /opt, /etc without known secrets) can be read inside.',
    'The size of the disk is not limited.',
    ...(uid === 0
      ? [
          'holm runs as root: root inside has the numeric id 0 outside too, without its powers; mounted files that belong to root can be changed.',
        ]
      : [
          'There is one user inside: apt-get and other programs that change owners may fail; memory is limited per process unless control groups are handed over.',
        ]),
    ...(backend === 'unshare' ? ['bubblewrap is not used: starting takes longer.'] : []),
  ]
}
