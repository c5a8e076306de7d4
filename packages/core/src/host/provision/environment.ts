import { HolmError } from '../../errors.ts'
import { commandFailed } from './output.ts'
import type { Inside, Reporter } from './inside.ts'
import type { RunAsRoot } from './privilege.ts'

const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/
const notWritable = 73

// Written next to its place and moved: a login in between never reads half a file.
const write = `
mkdir -p /etc/profile.d 2>/dev/null && [ -w /etc/profile.d ] || exit ${notWritable}
umask 022
cat >/etc/profile.d/.holm.sh && chmod 644 /etc/profile.d/.holm.sh && mv -f /etc/profile.d/.holm.sh /etc/profile.d/holm.sh
`

/** A value in single quotes, safe in any POSIX shell. */
export function quoteShell(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`
}

/** Text of /etc/profile.d/holm.sh. HOLM_BLUEPRINT_INVALID for a name that no shell can hold. */
export function renderProfile(env: Readonly<Record<string, string>>): string {
  const lines = Object.entries(env).map(([name, value]) => {
    assertVariable(name, value)
    return `export ${name}=${quoteShell(value)}\n`
  })
  return `# Written by holm from the blueprint's environment.\n${lines.join('')}`
}

function assertVariable(name: string, value: string): void {
  if (variableName.test(name) && !value.includes('\0')) return
  throw new HolmError(
    'HOLM_BLUEPRINT_INVALID',
    `environment variable "${name}" cannot be exported to login shells`,
    {
      hint: 'Use letters, digits and underscores, not starting with a digit, and no zero byte in the value.',
      details: { key: `environment.${name}` },
    },
  )
}

/** Exports the variables to login shells; a read-only /etc is a warning, for every exec has them all the same. */
export async function writeEnvironment(
  env: Readonly<Record<string, string>>,
  asRoot: RunAsRoot | Inside['run'],
  reporter: Reporter,
): Promise<void> {
  const input = renderProfile(env)
  await reporter.step('environment', async () => {
    const result = await asRoot({ argv: ['sh', '-c', write], input })
    if (result.code === 0) return
    if (result.code !== notWritable) throw commandFailed('writing /etc/profile.d/holm.sh', result)
    reporter.warn(
      '/etc is read-only inside: login shells do not get the environment variables of the blueprint by themselves',
    )
  })
}
