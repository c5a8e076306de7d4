import type { EnvironmentSpec } from '../../spec.ts'
import type { ExecRequest } from '../../provider.ts'
import { resolveContainerVariables } from '../blueprint/index.ts'

export interface ExecDefaultsInput {
  readonly spec: EnvironmentSpec | undefined
  readonly user: string | undefined
  readonly workdir: string | undefined
  readonly userEnv: Readonly<Record<string, string>>
  readonly secrets: Readonly<Record<string, string>>
}

/**
 * The request with the environment's defaults filled in. Variables, later wins: what the user's shell sets (probed), the
 * blueprint's, the secrets, the call's own. A null in the blueprint removes a variable, which needs `env -u` inside.
 */
export function withDefaults(request: ExecRequest, defaults: ExecDefaultsInput): ExecRequest {
  const { env, unset } = blueprintEnv(defaults)
  const user = request.user ?? defaults.user
  const cwd = request.cwd ?? defaults.workdir
  const removed = unset.filter((name) => request.env?.[name] === undefined)
  return {
    ...request,
    argv:
      removed.length === 0
        ? request.argv
        : ['env', ...removed.flatMap((name) => ['-u', name]), ...request.argv],
    env: { ...env, ...defaults.secrets, ...request.env },
    ...(user === undefined ? {} : { user }),
    ...(cwd === undefined ? {} : { cwd }),
  }
}

function blueprintEnv({ spec, userEnv }: ExecDefaultsInput): {
  env: Record<string, string>
  unset: string[]
} {
  const env: Record<string, string> = { ...userEnv }
  const unset: string[] = []
  const inside = { ...spec?.env, ...userEnv }
  for (const [name, value] of Object.entries(spec?.exec.env ?? {})) {
    if (value === null) {
      unset.push(name)
      delete env[name]
    } else env[name] = resolveContainerVariables(value, inside)
  }
  return { env, unset }
}
