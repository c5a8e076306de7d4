import { readFileSync } from 'node:fs'
import { isHolmError } from '@holm/core'
import type { Probe, ProviderContext } from '@holm/core'
import type { Session } from './session.ts'
import { wslError } from './wsl-errors.ts'
import { isAtLeast, parseVersion, type WslVersion } from './wsl-output.ts'
import { runWsl, type WslResult } from './wsl.ts'

const timeoutMs = 2500

/** The first version that can register a disk as it is: clones and snapshots of stopped environments are copies of one file. */
const inPlaceVersion = '0.58'

export interface Found {
  readonly probe: Probe
  /** Undefined: Windows' own wsl.exe, without `--version`. */
  readonly version: WslVersion | undefined
}

const limitations: readonly string[] = [
  'All distributions are one virtual machine with one kernel, one network and one memory: limits of CPU and memory are set for the machine in .wslconfig, not for an environment.',
  'Drives of Windows are visible inside below /mnt, and Windows programs can be started, unless the profile of wsl.conf turns it off.',
  'Bind mounts of Windows folders and named volumes lie on a Windows drive: they are slower than files inside.',
]

export async function findWsl(session: Session, ctx: ProviderContext): Promise<Found> {
  const { platform } = session.options
  if (platform !== 'win32' && !isInsideWsl(session)) {
    const reason = `WSL needs Windows, or a distribution of WSL with interop; this is ${platform}.`
    return unusable(reason, 'Use another provider here.')
  }
  const ask = (...argv: string[]): Promise<WslResult> =>
    runWsl(session.machine, { argv, doing: 'tell about itself', timeoutMs }, ctx)
  try {
    // --status is what Windows' own wsl.exe knows too; it fails where WSL is a stub that only offers to install.
    const [said, status] = await Promise.all([ask('--version'), ask('--status')])
    const version = said.code === 0 ? parseVersion(said.text) : undefined
    if (version === undefined && status.code !== 0) return broken(status)
    return usable(version)
  } catch (error) {
    if (isHolmError(error, 'HOLM_TOOL_MISSING'))
      return unusable(
        `${session.machine.wsl} is not there.`,
        'Install it: `wsl --install --no-distribution` in an administrator shell.',
      )
    if (isHolmError(error)) return unusable(`${error.message}.`, error.hint ?? 'Run `wsl --status`.')
    throw error
  }
}

function usable(version: WslVersion | undefined): Found {
  const name = version === undefined ? 'WSL of Windows (without a version of its own)' : `WSL ${version.wsl}`
  const old = hasInPlace(version)
    ? []
    : [
        'This version cannot register a copied disk: snapshots and clones are exports and imports of everything. `wsl --update` brings a newer one.',
      ]
  return {
    version,
    probe: {
      usable: true,
      version: version?.kernel === undefined ? name : `${name}, kernel ${version.kernel}`,
      limitations: [...limitations, ...old],
    },
  }
}

function broken({ text, errorText }: WslResult): Found {
  const error = wslError(`${text}\n${errorText}`, 'use WSL', 'HOLM_PROVIDER_UNAVAILABLE')
  return unusable(error.message, error.hint ?? 'Run `wsl --status`.')
}

function unusable(reason: string, fix: string): Found {
  return { version: undefined, probe: { usable: false, reason, fix, limitations: [] } }
}

export function hasInPlace(version: WslVersion | undefined): boolean {
  return version !== undefined && isAtLeast(version.wsl, inPlaceVersion)
}

/** Interop is what makes programs of Windows startable; a name without it is a service of systemd, or a container. */
function isInsideWsl({ options, machine }: Session): boolean {
  if (options.platform !== 'linux' || !machine.distribution) return false
  return options.wsl !== undefined || isWslKernel(kernelVersion())
}

export function isWslKernel(version: string): boolean {
  return /microsoft/i.test(version)
}

function kernelVersion(): string {
  try {
    return readFileSync('/proc/version', 'utf8')
  } catch {
    return ''
  }
}
