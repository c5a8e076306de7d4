import { HolmError } from '@holm/core'
import type { BuiltinCommand } from '../builtin.ts'
import { execFlags } from './exec-flags.ts'
import { environmentArg } from './shared.ts'

/**
 * Finds the user's login shell inside, where alone it can be known, and becomes it. Constant text: nothing is put
 * into it, and it needs no more than a POSIX sh.
 */
const findShell = `
uid=$(id -u 2>/dev/null)
while IFS=: read -r _ _ entry _ _ _ login; do
  [ "$entry" = "$uid" ] && break
  login=
done </etc/passwd 2>/dev/null
case $login in */nologin|*/false|*/sync) login= ;; esac
for shell in "$login" "$SHELL" /bin/bash /usr/bin/bash /bin/sh; do
  [ -n "$shell" ] && [ -x "$shell" ] && SHELL=$shell && export SHELL && exec "$shell" -l
done
exec sh
`

export const shell: BuiltinCommand = {
  id: 'shell',
  group: 'Environments',
  summary: 'Open a shell inside an environment.',
  description:
    'Starts the login shell of the user inside; bash or sh where the user has none; exec.shell of the configuration wins.',
  args: [environmentArg],
  flags: execFlags,
  examples: [
    { command: 'holm shell', description: 'Work in the environment of this folder.' },
    { command: 'holm shell web -u root', description: 'Work as root in a named one.' },
  ],
  async run(input) {
    if (input.terminal.json) {
      throw new HolmError('HOLM_USAGE', 'a shell has no JSON', { hint: 'Use holm exec --json -- COMMAND.' })
    }
    const { runInside } = await import('../exec/request.ts')
    const { value } = await input.host.config.get('exec.shell')
    return runInside(input, typeof value === 'string' ? [value, '-l'] : ['/bin/sh', '-c', findShell])
  },
}
