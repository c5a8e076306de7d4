import type { Probe, ProviderContext } from '@holm/core'
import { systemPackages } from './requirements.ts'
import type { Session } from './session.ts'
import { loadVersion } from './version.ts'

const tools = ['qemu-img', 'mke2fs', 'tar', 'perl'] as const
const packages: Readonly<Record<(typeof tools)[number], string>> = {
  'qemu-img': 'qemu-utils',
  mke2fs: 'e2fsprogs',
  tar: 'tar',
  perl: 'perl-base',
}

/** Is everything there? KVM is tried here for the first time; that takes a second at most, once. */
export async function probeQemu(session: Session, ctx: ProviderContext): Promise<Probe> {
  const { platform, arch } = session.options
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64'))
    return unusable(
      `QEMU is used on Linux with x64 or arm64, this is ${platform} ${arch}.`,
      'Use another provider.',
    )
  const version = await loadVersion(session.architecture, session.toolEnv, ctx).catch(() => undefined)
  if (version === undefined) {
    return unusable(
      `qemu-system-${session.architecture} is not installed.`,
      `Install it: apt-get install --no-install-recommends ${systemPackages[session.architecture]} qemu-utils e2fsprogs.`,
    )
  }
  const missing = await findMissing(session, ctx)
  if (missing !== undefined)
    return unusable(`${missing} is not installed.`, `Install it: apt-get install ${packages[missing]}.`)
  const { accelerator, reason } = await session.accelerator(ctx)
  return {
    usable: true,
    version: `${version}, ${accelerator === 'kvm' ? 'KVM' : 'emulated'}`,
    limitations: [
      ...(accelerator === 'tcg'
        ? [
            `The processor is emulated, which takes many times as long as running on it: ${reason ?? 'KVM is not there.'}`,
          ]
        : []),
      'Programs inside reach this machine and its network as any program of this user does, at 10.0.2.2.',
      'Only folders can be mounted; programs cannot watch them for changes made on this side.',
    ],
  }
}

function unusable(reason: string, fix: string): Probe {
  return { usable: false, reason, fix, limitations: [] }
}

async function findMissing(
  { toolEnv }: Session,
  { runner }: ProviderContext,
): Promise<(typeof tools)[number] | undefined> {
  const script = 'for t; do command -v "$t" >/dev/null || { echo "$t"; break; }; done'
  const { stdout } = await runner.run(['sh', '-c', script, 'sh', ...tools], { env: toolEnv, timeoutMs: 1000 })
  return tools.find((each) => each === stdout.trim())
}
