import { HolmError } from '@holm/core'
import type { CommandDefinition, CommandInput } from '@holm/core'
import { defaultNameArg } from './command.ts'

/** Names the workspace that commands of a shell mean when they name none. */
export const useVariable = 'HOLM_WORKSPACE'

/**
 * What was left out, from the workspace that is in use: the name, and the environment of commands about services. HOLM_USAGE where a
 * command needs a name and none is in use.
 */
export function withDefault(
  input: CommandInput,
  { id, args = [], flags = {} }: Pick<CommandDefinition, 'id' | 'args' | 'flags'>,
  env: Readonly<Record<string, string | undefined>>,
): CommandInput {
  const used = env[useVariable] || undefined
  const missing = input.args['name'] === undefined && args.some((arg) => arg === defaultNameArg)
  if (missing && used === undefined) {
    throw new HolmError('HOLM_USAGE', `holm ${id} needs the name of a workspace`, {
      hint: `Name it: holm ${id} NAME; or choose one for this shell: eval "$(holm workspace use NAME --shell)"`,
    })
  }
  if (missing) return { ...input, args: { ...input.args, name: used } }
  if (used === undefined || !('environment' in flags) || input.flags['environment'] !== undefined)
    return input
  return { ...input, flags: { ...input.flags, environment: used } }
}
