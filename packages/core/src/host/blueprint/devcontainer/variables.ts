import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { stableJson } from '../hash-spec.ts'

/** What `${…}` in a devcontainer.json may refer to. */
export interface VariableContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly localWorkspaceFolder: string
  /** Absent while it is itself being worked out. */
  readonly containerWorkspaceFolder?: string
  readonly devcontainerId: string
}

/**
 * Replaces the variables in every text of a value. `${containerEnv:…}` stays, for the time when the environment runs
 * (`resolveContainerVariables`); so does everything that is no variable of the specification.
 */
export function substitute<Value>(value: Value, context: VariableContext): Value {
  return substituteAny(value, context) as Value
}

function substituteAny(value: unknown, context: VariableContext): unknown {
  if (typeof value === 'string') return substituteText(value, context)
  if (Array.isArray(value)) return value.map((entry) => substituteAny(entry, context))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, substituteAny(entry, context)]))
}

function substituteText(text: string, context: VariableContext): string {
  return text.replaceAll(/\$\{([^}]*)\}/g, (match, inside: string) => {
    const [variable = '', ...args] = inside.split(':')
    return resolveVariable(variable, args, context) ?? match
  })
}

function resolveVariable(
  variable: string,
  args: readonly string[],
  context: VariableContext,
): string | undefined {
  switch (variable) {
    case 'env':
    case 'localEnv':
      return lookUp(args, context.env)
    case 'localWorkspaceFolder':
      return context.localWorkspaceFolder
    case 'localWorkspaceFolderBasename':
      return basename(context.localWorkspaceFolder)
    case 'containerWorkspaceFolder':
      return context.containerWorkspaceFolder
    case 'containerWorkspaceFolderBasename':
      return context.containerWorkspaceFolder && basename(context.containerWorkspaceFolder)
    case 'devcontainerId':
      return context.devcontainerId
    default:
      return undefined
  }
}

/** An unset variable without a default is empty, as in a shell. */
function lookUp([name = '', ...fallback]: readonly string[], env: VariableContext['env']): string {
  const value = Object.hasOwn(env, name)
    ? env[name]
    : env['OS'] === 'Windows_NT'
      ? lookUpAnyCase(name, env)
      : undefined
  return value ?? fallback.join(':')
}

function lookUpAnyCase(name: string, env: VariableContext['env']): string | undefined {
  return Object.entries(env).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]
}

/**
 * The id of the specification: SHA-256 of the identifying labels as JSON with sorted keys, as a number in base 32, padded
 * to 52 digits.
 */
export function devcontainerId(labels: Readonly<Record<string, string>>): string {
  const digest = createHash('sha256').update(stableJson(labels)).digest('hex')
  return BigInt(`0x${digest}`).toString(32).padStart(52, '0')
}
