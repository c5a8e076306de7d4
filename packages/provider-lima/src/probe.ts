import { isHolmError } from '@holm/core'
import type { Probe, ProviderContext } from '@holm/core'
import { versionArgv } from './argv.ts'
import { cloneVersion } from './clone.ts'
import { minimumVersion } from './config.ts'
import { isAtLeast, parseFailure, parseVersion, type LimaVersion } from './parse.ts'
import type { Session } from './session.ts'
import { wordsOf } from './state.ts'

/** Milliseconds until a tool that says nothing counts as not answering. */
const deadlineMs = 1200

/** Never throws. Starts no machine: that limactl answers, and a driver is there, is what can be known at once. */
export async function probeLima(session: Session, ctx: ProviderContext): Promise<Probe> {
  const { platform } = session.settings
  if (platform !== 'darwin' && platform !== 'linux')
    return unusable(`Lima is used on macOS and Linux, this is ${platform}`, 'Use the provider wsl.')
  try {
    const { code, stdout, stderr } = await ask(session, versionArgv, ctx)
    if (code !== 0) return refusal(parseFailure(stderr))
    const version = parseVersion(stdout)
    if (version === undefined)
      return unusable(
        `limactl gives no version: ${stdout.trim()}`,
        `Reinstall Lima ${minimumVersion} or newer.`,
      )
    if (!isAtLeast(version, minimumVersion))
      return unusable(`Lima ${version.text} is too old`, `Update it to ${minimumVersion} or newer.`)
    return (await missingDriver(session, ctx)) ?? usable(version, platform)
  } catch (error) {
    if (isHolmError(error, 'HOLM_TOOL_MISSING'))
      return unusable('limactl is not installed', install(platform))
    if (isHolmError(error, 'HOLM_TIMEOUT'))
      return unusable(`limactl does not answer within ${deadlineMs} ms`, 'Run `limactl --version` by hand.')
    return unusable(wordsOf(error), 'Run `limactl --version` by hand.')
  }
}

function refusal(said: string): Probe {
  if (/root user/.test(said)) return unusable('Lima refuses to run as root', 'Run holm as an ordinary user.')
  return unusable(`limactl fails: ${said}`, 'Run `limactl --version` by hand.')
}

const ask = (
  session: Session,
  argv: readonly string[],
  ctx: ProviderContext,
): ReturnType<ProviderContext['runner']['run']> =>
  ctx.runner.run(argv, { env: session.env, cwd: '/', signal: ctx.signal, timeoutMs: deadlineMs })

/** Only macOS brings its own hypervisor. */
async function missingDriver(session: Session, ctx: ProviderContext): Promise<Probe | undefined> {
  if (session.settings.platform === 'darwin') return undefined
  const program = 'qemu-img'
  try {
    await ask(session, [program, '--version'], ctx)
    return undefined
  } catch (error) {
    if (!isHolmError(error, 'HOLM_TOOL_MISSING')) throw error
    return unusable(`Lima needs QEMU here, and ${program} is not installed`, 'Install QEMU.')
  }
}

function usable(version: LimaVersion, platform: NodeJS.Platform): Probe {
  const limitations = [
    'a machine has whole processors: a part of one is rounded up',
    'it is cloned and resized while stopped; files are copied by starting it',
    ...(isAtLeast(version, cloneVersion) ? [] : [`cloning needs Lima ${cloneVersion}`]),
    ...(platform === 'darwin' ? ['snapshots need providers.lima.vmType: qemu'] : []),
  ]
  return { usable: true, version: `Lima ${version.text}`, limitations }
}

function unusable(reason: string, fix: string): Probe {
  return { usable: false, reason, fix, limitations: [] }
}

function install(platform: NodeJS.Platform): string {
  return platform === 'darwin'
    ? 'Install it: `brew install lima`.'
    : 'Install Lima (https://lima-vm.io/docs/installation/) and QEMU.'
}
