import { invalidQuantity } from './parse-quantity.ts'
import type { BlueprintSecret } from '../../blueprint.ts'
import type { SecretReference } from '../../spec.ts'

/**
 * One secret to a reference; values are read at the moment of use, never here. `resolvePath` turns the path of a file into
 * an absolute one. Throws HOLM_BLUEPRINT_INVALID.
 */
export function parseSecret(secret: BlueprintSecret, resolvePath: (path: string) => string): SecretReference {
  if (typeof secret === 'string') {
    const match = /^(env|file):(.+)$/.exec(secret)
    // The text may be the secret itself, written here by mistake: it must not be repeated in a message.
    if (match === null) throw invalidQuantity('(hidden)', 'a reference such as "env:NAME" or "file:~/token"')
    const [, from, value = ''] = match
    return from === 'env'
      ? { from: 'env', key: value, optional: false }
      : { from: 'file', path: resolvePath(value), optional: false }
  }
  const optional = secret.optional ?? false
  if ('env' in secret) return { from: 'env', key: secret.env, optional }
  if ('file' in secret) return { from: 'file', path: resolvePath(secret.file), optional }
  return { from: 'command', argv: secret.command, optional }
}
