import { HolmError } from '../../errors.ts'
import { configKeys, configTable, findEntry, pluginPrefix } from './schema.ts'
import { nearNames, suggestHint } from '../did-you-mean.ts'
import { checkText, checkValue, parseLoose, type Checked } from './value.ts'

/** Values of one origin by full key, checked. */
export interface Layer {
  readonly values: ReadonlyMap<string, LayerValue>
}

export interface LayerValue {
  readonly value: unknown
  /** 'default', 'flag', 'HOLM_X', or the absolute path of a file. */
  readonly source: string
}

/** Something wrong in a tree of values, and where. */
export interface KeyProblem {
  readonly key: readonly string[]
  readonly problem: string
  readonly hint: string
}

type Tree = Readonly<Record<string, unknown>>

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const sections = new Set(['plugin', ...configKeys.flatMap((key) => key.split('.').slice(0, -1))])

/** Values by full key of a nested (or flat) tree, with the first problem instead when there is one. */
export function flattenTree(tree: Tree): {
  readonly values: Map<string, unknown>
  readonly problem?: KeyProblem
} {
  const values = new Map<string, unknown>()
  for (const [name, value] of Object.entries(tree)) {
    if (name === '$schema') continue
    const problem = flattenKey([name], value, values)
    if (problem) return { values, problem }
  }
  return { values }
}

function flattenKey(
  key: readonly string[],
  value: unknown,
  into: Map<string, unknown>,
): KeyProblem | undefined {
  const full = key.join('.')
  const entry = findEntry(full)
  if (entry) return keep(key, checkValue(value, entry), into)
  if (full.startsWith(pluginPrefix) && key.length + full.split('.').length > 4)
    return keep(key, { value }, into)
  if (!sections.has(full) && !full.startsWith(pluginPrefix)) return unknownKey(key)
  if (!isTree(value))
    return {
      key,
      problem: `${full} is ${JSON.stringify(value)}, not a section`,
      hint: `Write ${full} as an object.`,
    }
  for (const [name, inner] of Object.entries(value)) {
    const problem = flattenKey([...key, name], inner, into)
    if (problem) return problem
  }
  return undefined
}

function keep(key: readonly string[], checked: Checked, into: Map<string, unknown>): KeyProblem | undefined {
  const full = key.join('.')
  if ('problem' in checked)
    return { key, problem: `${full} ${checked.problem}`, hint: `Correct the value of ${full}.` }
  into.set(full, checked.value)
  return undefined
}

function unknownKey(key: readonly string[]): KeyProblem {
  const full = key.join('.')
  const known = [...configKeys, ...sections]
  return {
    key,
    problem: `unknown key ${full}`,
    hint: suggestHint(full, known, 'Run holm config list to see every key.'),
  }
}

/** HOLM_CONFIG_INVALID for a key that is in no table; `plugin.<id>.<key>` is always known. */
export function assertKnownKey(key: string): void {
  if (findEntry(key) || /^plugin\.[^.]+\../.test(key)) return
  const { problem, hint } = unknownKey([key])
  throw new HolmError('HOLM_CONFIG_INVALID', problem, { hint, details: { key } })
}

export function createDefaults(): Layer {
  const entries = configKeys.map(
    (key) => [key, { value: configTable[key].default, source: 'default' }] as const,
  )
  return { values: new Map(entries.filter(([, { value }]) => value !== undefined)) }
}

/** What the command line says; undefined values are flags that were not given. */
export function createFlags(flags: Tree): Layer {
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))
  const { values, problem } = flattenTree(given)
  if (problem) {
    throw new HolmError('HOLM_USAGE', problem.problem, {
      hint: problem.hint,
      details: { key: problem.key.join('.') },
    })
  }
  return { values: withSource(values, 'flag') }
}

export function withSource(values: ReadonlyMap<string, unknown>, source: string): Map<string, LayerValue> {
  return new Map([...values].map(([key, value]) => [key, { value, source }]))
}

const keyByEnv: ReadonlyMap<string, (typeof configKeys)[number]> = new Map(
  configKeys.map((key) => [configTable[key].env, key]),
)
/** Variables that are read elsewhere. */
const otherVariables = ['HOLM_HOME', 'HOLM_LIVE', 'HOLM_DEBUG', 'HOLM_WORKSPACE']
const pluginVariable = /^HOLM_PLUGIN__([A-Z0-9_]+?)__([A-Z0-9_]+)$/

/** The HOLM_* variables. Unknown ones are ignored (they may be another program's), near misses are warnings. */
export function parseEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Layer & { readonly warnings: string[] } {
  const values = new Map<string, LayerValue>()
  const warnings: string[] = []
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('HOLM_') || text === undefined || text === '') continue
    const found = parseVariable(name, text)
    if (found) values.set(found.key, { value: found.value, source: name })
    else if (!otherVariables.includes(name)) warnings.push(...warnNearMiss(name))
  }
  return { values, warnings }
}

function parseVariable(
  name: string,
  text: string,
): { readonly key: string; readonly value: unknown } | undefined {
  const key = keyByEnv.get(name)
  if (key === undefined) return parsePluginVariable(name, text)
  const checked = checkText(text, configTable[key])
  if ('value' in checked) return { key, value: checked.value }
  throw new HolmError('HOLM_CONFIG_INVALID', `${name} ${checked.problem}`, {
    hint: `Correct or unset the variable ${name}.`,
    details: { key, variable: name },
  })
}

/** HOLM_PLUGIN__MY_MESH__AUTH_KEY is plugin.my-mesh.authKey. */
function parsePluginVariable(
  name: string,
  text: string,
): { readonly key: string; readonly value: unknown } | undefined {
  const [, id, key] = pluginVariable.exec(name) ?? []
  if (id === undefined || key === undefined) return undefined
  const section = id.toLowerCase().replaceAll('_', '-')
  const words = key
    .split('__')
    .map((word) => word.toLowerCase().replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()))
  return { key: `${pluginPrefix}${section}.${words.join('.')}`, value: parseLoose(text) }
}

function warnNearMiss(name: string): string[] {
  const [meant] = nearNames(name, [...keyByEnv.keys(), ...otherVariables], 1)
  return meant === undefined ? [] : [`the variable ${name} is unknown and ignored: did you mean ${meant}?`]
}
