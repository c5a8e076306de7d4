import { HolmError, isHolmError } from '../../errors.ts'
import { installPackages, notOnThisMachine, requireManager } from './packages.ts'
import { selectManager, type ManagerName, type PackageManager } from './managers.ts'
import type { PackageContext } from './packages.ts'

/** The engine as each family of distributions has it; what it only recommends and cannot do without stands beside it. */
const engines: Readonly<Record<ManagerName, readonly string[]>> = {
  apt: ['docker.io', 'ca-certificates', 'kmod'],
  apk: ['docker'],
  dnf: ['moby-engine'],
  zypper: ['docker'],
  pacman: ['docker'],
}

/** Newer Debian and Fedora have the client in a package of its own. */
const client = ['docker-cli']

/** Docker's engine and client from the distribution, unless the base, a package or a script has brought them. */
export async function provisionDocker(context: PackageContext): Promise<void> {
  const { reporter } = context
  if (await has(context, ['dockerd', 'docker'])) return reporter.skip('docker engine', 'it is installed')
  if (context.shared) throw notOnThisMachine('dockerd')
  const manager = requireManager(selectManager(context.machine), 'Docker')
  await reporter.step('docker engine', async () => {
    if (!(await has(context, ['dockerd']))) await install(engines[manager.name], manager, context)
    if (!(await has(context, ['docker']))) await install(client, manager, context)
  })
}

async function has({ asRoot }: PackageContext, programs: readonly string[]): Promise<boolean> {
  const script = 'for name; do command -v "$name" >/dev/null || exit 1; done'
  return (await asRoot({ argv: ['sh', '-c', script, 'sh', ...programs] })).code === 0
}

async function install(
  packages: readonly string[],
  manager: PackageManager,
  context: PackageContext,
): Promise<void> {
  try {
    await installPackages(packages, manager, context)
  } catch (error) {
    if (!isHolmError(error, 'HOLM_COMMAND_FAILED') || error.details?.['package'] === undefined) throw error
    throw new HolmError(error.code, error.message, {
      hint: 'Use a base whose distribution has Docker (Debian, Ubuntu, Alpine, Fedora, openSUSE, Arch), or one that has dockerd in it.',
      cause: error,
      details: error.details,
    })
  }
}
