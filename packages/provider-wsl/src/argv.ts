import { HolmError } from '@holm/core'
import type { ExecRequest } from '@holm/core'

/** Words for wsl.exe, without its own name. Pure. */

/** Windows gives a program one line of text of at most this many UTF-16 units, its terminating zero included. */
const commandLineLimit = 32_767

/** Names never hold a space: wsl.exe cuts the value of --distribution at the first one, quoted or not. */
export function distributionName(namespace: string, name: string): string {
  return `holm.${namespace}.${name}`
}

/** The environment's name, or undefined for a distribution that is not of this namespace. */
export function environmentName(namespace: string, distribution: string): string | undefined {
  const prefix = `holm.${namespace}.`
  return distribution.startsWith(prefix) ? distribution.slice(prefix.length) : undefined
}

/** `file` is a Windows path, or `-` for the standard input. */
export function importArgv(distribution: string, folder: string, file: string): string[] {
  return ['--import', distribution, folder, file, '--version', '2']
}

export function importDiskArgv(distribution: string, disk: string): string[] {
  return ['--import-in-place', distribution, disk]
}

export function exportArgv(distribution: string, file: string): string[] {
  return ['--export', distribution, file]
}

export interface ShellCall {
  readonly distribution: string
  readonly script: string
  /** `$0` and what follows. */
  readonly words: readonly string[]
  /** Not in versions older than Windows 11 and 10 21H2. */
  readonly cd?: boolean
}

/**
 * Runs a script as root. `--exec` starts the program without the user's shell, which would read `$`, quotes and
 * backslashes a second time; and the program is a path without quotes, because the first word of a Windows command line
 * knows no escapes.
 */
export function shellArgv({ distribution, script, words, cd = false }: ShellCall): string[] {
  const start = ['--distribution', distribution, '--user', 'root', ...(cd ? ['--cd', '/'] : [])]
  return [...start, '--exec', '/bin/sh', '-c', script, ...words]
}

/** One word of a Windows command line, as CommandLineToArgvW reads it back. */
export function quoteWindows(word: string): string {
  if (word !== '' && !/[\s"]/.test(word)) return word
  return `"${word.replace(/(\\*)"/g, String.raw`$1$1\"`).replace(/(\\+)$/, '$1$1')}"`
}

/** HOLM_USAGE for what no command line of Windows can carry. */
export function assertWords(request: ExecRequest, argv: readonly string[] = request.argv): void {
  const words = [...request.argv, request.cwd ?? '', ...Object.entries(request.env ?? {}).flat()]
  const bad = words.find((word) => word.includes('\0'))
  if (request.argv.length === 0 || bad !== undefined) {
    const what =
      bad === undefined ? 'a program without a name' : `${JSON.stringify(bad)}: it holds a zero byte`
    throw new HolmError('HOLM_USAGE', `cannot start ${what}`, { hint: 'Leave it out.' })
  }
  const length = argv.reduce((sum, word) => sum + quoteWindows(word).length + 1, 0)
  if (length >= commandLineLimit) {
    throw new HolmError(
      'HOLM_USAGE',
      `the command has ${length} characters; Windows takes ${commandLineLimit - 1}`,
      {
        hint: 'Put the words into a file, or pipe them in.',
        details: { length },
      },
    )
  }
}

export interface PassedEnvironment {
  /** For wsl.exe. */
  readonly env: Readonly<Record<string, string>>
  /** How many variables follow under neutral names. */
  readonly count: number
}

/**
 * Variables travel in wsl.exe's own environment, named by WSLENV, never on a command line: everybody may read those of
 * others. Under neutral names, since Windows does not tell `a` from `A`, knows no empty value, and programs on the way
 * must not obey a PATH that is meant for the inside.
 */
export function passEnvironment(
  base: Readonly<Record<string, string>>,
  variables: Readonly<Record<string, string>>,
): PassedEnvironment {
  const passed = Object.entries(variables).map(([name, value], index) => [
    `HOLM_V${index}`,
    `${name}=${value}`,
  ])
  // The user's own WSLENV would let variables of this machine in. No flags: both ways, from Windows and from Linux.
  const names = ['WSL_UTF8/w', 'WSL_DISABLE_WARNINGS/w', ...passed.map(([name]) => name)]
  return {
    env: {
      ...base,
      WSL_UTF8: '1',
      WSL_DISABLE_WARNINGS: '1',
      ...Object.fromEntries(passed),
      WSLENV: names.join(':'),
    },
    count: passed.length,
  }
}
