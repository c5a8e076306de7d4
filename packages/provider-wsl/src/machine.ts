import { readFileSync } from 'node:fs'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { decodeOutput } from './wsl-output.ts'
import { drivePathInside, parseLinuxPath, parseWindowsPath, windowsPathOf, type Place } from './paths.ts'
import { readAll } from './streams.ts'

export interface WslOptions {
  readonly platform: NodeJS.Platform
  readonly namespace: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** wsl.exe. Absent: by its usual name. */
  readonly wsl?: string
  /** Folder of this machine for disks and records, on a drive of Windows. Absent: in the Windows user's local data. */
  readonly folder?: string
  /** Where drives are mounted on this side. Absent: as /etc/wsl.conf says. Linux only. */
  readonly drives?: string
  /** The tmpfs of all distributions, as this side sees it. Absent: /mnt/wsl. Linux only. */
  readonly shared?: string
}

/** The side that holm runs on: Windows, or a distribution with interop. */
export interface Machine {
  readonly side: string
  readonly wsl: string
  readonly netsh: string
  readonly env: Readonly<Record<string, string>>
  /** This distribution's name; undefined on Windows. */
  readonly distribution: string | undefined
  readonly shared: string
  parsePath(file: string): Place | undefined
  /** A path of this side as Windows programs name it. */
  toWindows(file: string): string
  /** Folder for disks and records, a path of this side. */
  folder(ctx: ProviderContext): Promise<string>
}

export function createMachine(options: WslOptions): Machine {
  const env = Object.fromEntries(
    Object.entries(options.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  return options.platform === 'win32' ? windowsMachine(options, env) : linuxMachine(options, env)
}

function windowsMachine(options: WslOptions, env: Record<string, string>): Machine {
  const system = path.win32.join(env['SystemRoot'] ?? env['SYSTEMROOT'] ?? 'C:\\Windows', 'System32')
  return {
    side: 'windows',
    wsl: options.wsl ?? path.win32.join(system, 'wsl.exe'),
    netsh: path.win32.join(system, 'netsh.exe'),
    env,
    distribution: undefined,
    shared: '/mnt/wsl',
    parsePath: parseWindowsPath,
    toWindows: (file) => file,
    folder: async () => {
      const local = env['LOCALAPPDATA']
      if (options.folder !== undefined) return options.folder
      if (local === undefined) throw noFolder('LOCALAPPDATA is not set')
      return path.win32.join(local, 'holm', 'wsl', options.namespace)
    },
  }
}

function linuxMachine(options: WslOptions, env: Record<string, string>): Machine {
  const distribution = env['WSL_DISTRO_NAME'] ?? ''
  const drives = options.drives ?? automountRoot()
  const system = drivePathInside('C:\\Windows\\System32', drives)
  const parse = (file: string): Place => parseLinuxPath(file, distribution, drives)
  let folder: Promise<string> | undefined
  return {
    side: `linux:${distribution}`,
    // The PATH of Windows may be kept out of this distribution; its drive C is where Windows is.
    wsl: options.wsl ?? `${system}/wsl.exe`,
    netsh: `${system}/netsh.exe`,
    env,
    distribution,
    shared: options.shared ?? '/mnt/wsl',
    parsePath: parse,
    toWindows: (file) => windowsPathOf(parse(file)),
    folder: (ctx) => {
      folder ??=
        options.folder === undefined
          ? askFolder(options, { drives, system }, ctx)
          : Promise.resolve(options.folder)
      return folder
    },
  }
}

/** The Windows user's folder is not known here: cmd.exe tells it. */
async function askFolder(
  options: WslOptions,
  { drives, system }: { readonly drives: string; readonly system: string },
  ctx: ProviderContext,
): Promise<string> {
  const argv = [`${system}/cmd.exe`, '/d', '/u', '/c', 'echo %LOCALAPPDATA%']
  // From a folder that Windows knows: otherwise cmd.exe complains and takes its own.
  const child = await ctx.runner.spawn(argv, { cwd: system, signal: ctx.signal })
  const [out] = await Promise.all([readAll(child.stdout), readAll(child.stderr), child.exited])
  const place = parseWindowsPath(decodeOutput(out).trim())
  if (place?.kind !== 'drive') throw noFolder(`cmd.exe says "${decodeOutput(out).trim()}"`)
  return `${drivePathInside(place.windows, drives)}/holm/wsl/${options.namespace}`
}

function noFolder(why: string): HolmError {
  return new HolmError(
    'HOLM_PROVIDER_UNAVAILABLE',
    `the local data folder of the Windows user is unknown: ${why}`,
    {
      hint: 'Name a folder on a drive of Windows in the configuration, plugin.wsl.folder.',
    },
  )
}

/** Of the distribution that holm runs in. */
function automountRoot(): string {
  try {
    return parseAutomountRoot(readFileSync('/etc/wsl.conf', 'utf8'))
  } catch {
    return '/mnt/'
  }
}

export function parseAutomountRoot(conf: string): string {
  let section = ''
  for (const line of conf.split('\n')) {
    section = /^\s*\[([^\]]+)\]/.exec(line)?.[1]?.trim().toLowerCase() ?? section
    const root = /^\s*root\s*=\s*"?([^"#]+?)"?\s*(?:#.*)?$/i.exec(line)?.[1]
    if (section === 'automount' && root !== undefined) return root
  }
  return '/mnt/'
}
