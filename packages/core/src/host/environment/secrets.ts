import { readFile } from 'node:fs/promises'
import { HolmError } from '../../errors.ts'
import type { Runner } from '../../process.ts'
import type { SecretReference } from '../../spec.ts'

export interface SecretSources {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly runner: Runner
  readonly signal: AbortSignal
}

/** Reads the values now; nothing keeps them but the process they are given to. A missing optional one is left out. */
export async function readSecrets(
  secrets: Readonly<Record<string, SecretReference>>,
  sources: SecretSources,
): Promise<Record<string, string>> {
  const values = await Promise.all(
    Object.entries(secrets).map(
      async ([name, reference]) => [name, await readSecret(name, reference, sources)] as const,
    ),
  )
  return Object.fromEntries(
    values.filter((entry): entry is readonly [string, string] => entry[1] !== undefined),
  )
}

async function readSecret(
  name: string,
  reference: SecretReference,
  sources: SecretSources,
): Promise<string | undefined> {
  const { value, from } = await lookUp(reference, sources)
  if (value !== undefined || reference.optional) return value
  throw new HolmError('HOLM_SECRET_MISSING', `secret ${name} cannot be read from ${from}`, {
    hint: `Provide ${from}, or mark the secret as optional in the blueprint.`,
    details: { secret: name },
  })
}

async function lookUp(
  reference: SecretReference,
  { env, runner, signal }: SecretSources,
): Promise<{ value: string | undefined; from: string }> {
  if (reference.from === 'env') return { value: env[reference.key], from: `the variable ${reference.key}` }
  if (reference.from === 'file')
    return { value: await readOptional(reference.path), from: `the file ${reference.path}` }
  const { code, stdout } = await runner.run(reference.argv, { signal, timeoutMs: 30_000 })
  return {
    value: code === 0 ? stdout.replace(/\n$/, '') : undefined,
    from: `the command ${reference.argv[0] ?? ''}`,
  }
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).replace(/\n$/, '')
  } catch {
    return undefined
  }
}
