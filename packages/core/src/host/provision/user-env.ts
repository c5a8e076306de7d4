import { randomUUID } from 'node:crypto'
import type { ExecDefaults } from '../../spec.ts'
import type { Inside, Reporter } from './inside.ts'

const flags = {
  loginShell: ['-l', '-c'],
  interactiveShell: ['-i', '-c'],
  loginInteractiveShell: ['-l', '-i', '-c'],
} as const satisfies Record<Exclude<ExecDefaults['probe'], 'none'>, readonly string[]>

// What a shell sets for itself, and what stands for the one call only.
const volatile = new Set(['PWD', 'OLDPWD', 'SHLVL', '_', 'HOLM_PROBE'])

// The shell of the user's passwd entry; what stands in $SHELL is often that of someone else.
const findShell = `
entry=$(getent passwd "$(id -un)" 2>/dev/null || grep "^$(id -un):" /etc/passwd 2>/dev/null)
shell=\${entry##*:}
case "$shell" in */nologin|*/false|'') shell=/bin/sh ;; esac
[ -x "$shell" ] || shell=/bin/sh
exec "$shell" "$@"
`

// One command in single quotes without another quote in it: bash, zsh, fish and csh read it alike.
const printEnv = `/bin/sh -c 'printf %s "$HOLM_PROBE"; env -0 2>/dev/null || cat /proc/self/environ 2>/dev/null || env; printf %s "$HOLM_PROBE"'`

export interface UserEnvOptions {
  readonly user?: string
  readonly reporter?: Pick<Reporter, 'warn'>
  /** Milliseconds; 10 s unless given. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** Variables between the two markers, NUL-separated, or by lines where the shell has no better tool. Pure. */
export function parseUserEnv(stdout: string, marker: string): Readonly<Record<string, string>> | undefined {
  const start = stdout.indexOf(marker)
  const end = stdout.lastIndexOf(marker)
  if (start === -1 || end === start) return undefined
  const text = stdout.slice(start + marker.length, end)
  const entries = text.split(text.includes('\0') ? '\0' : '\n').flatMap((entry) => {
    const at = entry.indexOf('=')
    return at > 0 && !volatile.has(entry.slice(0, at))
      ? [[entry.slice(0, at), entry.slice(at + 1)] as const]
      : []
  })
  return Object.fromEntries(entries)
}

/**
 * Asks the user's own shell once for its variables (devcontainer's userEnvProbe). A shell that fails or does not answer
 * in time is a warning and an empty result: it is no reason not to come up.
 */
export async function probeUserEnv(
  kind: ExecDefaults['probe'],
  inside: Inside,
  options: UserEnvOptions = {},
): Promise<Readonly<Record<string, string>>> {
  if (kind === 'none') return {}
  const { timeoutMs = 10_000, signal } = options
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    const env = await askShell(flags[kind], inside, {
      ...options,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
    if (!env) warnProbe(options, 'printed no environment')
    return env ?? {}
  } catch (error) {
    if (signal?.aborted === true || !timeout.aborted) throw error
    warnProbe(options, `did not answer in ${timeoutMs / 1000} s`)
    return {}
  }
}

/** The environment's own variables, as a program without a shell sees them. Empty, with a warning, when they cannot be had. */
export async function probeContainerEnv(
  inside: Inside,
  options: UserEnvOptions = {},
): Promise<Readonly<Record<string, string>>> {
  const marker = `holm-${randomUUID()}`
  const { signal, user } = options
  const result = await inside.run({
    argv: ['/bin/sh', '-c', printEnv],
    env: { HOLM_PROBE: marker },
    ...(signal === undefined ? {} : { signal }),
    ...(user === undefined ? {} : { user }),
  })
  const env = parseUserEnv(result.stdout, marker)
  if (!env)
    options.reporter?.warn('the variables of the environment cannot be read', 'Give it /bin/sh and env.')
  return env ?? {}
}

async function askShell(
  shellFlags: readonly string[],
  inside: Inside,
  { user, signal }: UserEnvOptions & { readonly signal: AbortSignal },
): Promise<Readonly<Record<string, string>> | undefined> {
  const marker = `holm-${randomUUID()}`
  const result = await inside.run({
    argv: ['/bin/sh', '-c', findShell, 'holm', ...shellFlags, printEnv],
    env: { HOLM_PROBE: marker },
    signal,
    ...(user === undefined ? {} : { user }),
  })
  return parseUserEnv(result.stdout, marker)
}

function warnProbe({ user, reporter }: UserEnvOptions, what: string): void {
  reporter?.warn(
    `the shell of user ${user ?? '(default)'} ${what}; commands run without its variables`,
    'Make the start files of the shell quick and silent, or set userEnvProbe to none.',
  )
}
