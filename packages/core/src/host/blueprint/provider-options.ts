import { HolmError } from '../../errors.ts'
import { didYouMean } from '../did-you-mean.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import type { StandardIssue, StandardSchema } from '../../standard-schema.ts'

/** Sections that formats write whether or not the provider is installed: thresh's wslConfig and devcontainer's runArgs. */
const alwaysKnown = ['docker', 'wsl']

/**
 * Checks the provider-specific sections of a spec: every section must belong to a known provider, and the section of
 * `providerId` must pass that provider's own schema (absent: it takes none). Returns the spec with the section as the schema
 * leaves it (defaults filled in). Throws HOLM_BLUEPRINT_INVALID.
 */
// oxlint-disable-next-line eslint/max-params -- the four are one question, asked in one place by the host
export async function assertProviderOptions(
  spec: EnvironmentSpec,
  providerId: string,
  schema: StandardSchema | undefined,
  knownIds: readonly string[],
): Promise<EnvironmentSpec> {
  const known = [...new Set([...knownIds, providerId, ...alwaysKnown])]
  for (const id of Object.keys(spec.options)) {
    if (!known.includes(id))
      throw invalid(`providers.${id}`, `no provider has this id${didYouMean(id, known)}`)
  }
  const section = spec.options[providerId]
  if (section === undefined) return spec
  const path = `providers.${providerId}`
  if (schema === undefined) throw invalid(path, `the provider ${providerId} takes no options`)
  const result = await schema['~standard'].validate(section)
  if (result.issues === undefined)
    return { ...spec, options: { ...spec.options, [providerId]: result.value } }
  throw invalid(path, result.issues.map((issue) => describeIssue(issue)).join('; '))
}

function describeIssue({ message, path = [] }: StandardIssue): string {
  const keys = path.map((part) => String(typeof part === 'object' ? part.key : part))
  return keys.length === 0 ? message : `${keys.join('.')}: ${message}`
}

function invalid(path: string, reason: string): HolmError {
  return new HolmError('HOLM_BLUEPRINT_INVALID', `${path}: ${reason}`, {
    hint: `Correct or remove ${path}.`,
    details: { path },
  })
}
