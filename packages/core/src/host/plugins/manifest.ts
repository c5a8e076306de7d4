import { HolmError } from '../../errors.ts'
import { facetNames } from '../../facets.ts'
import type { PluginManifest } from '../../plugin.ts'
import { hookNames } from '../hooks.ts'

/** What is used of a plugin's package.json. */
export interface PluginPackage {
  readonly name: string
  readonly version: string
  readonly manifest: PluginManifest
}

type ManifestKind = PluginManifest['kind']

// A record, so that a new kind in the contract does not compile until it is here.
const kinds = { provider: true, mesh: true, ai: true, editor: true, feature: true } satisfies Record<
  ManifestKind,
  true
>

const idForm = /^[a-z][a-z0-9-]{0,39}$/
const commandForm = /^[a-z][a-z0-9-]*( [a-z][a-z0-9-]*)*$/
const methodForm = /^[a-zA-Z][a-zA-Z0-9]*$/
const flagTypes = ['boolean', 'string', 'integer']

type Fields = Readonly<Record<string, unknown>>
type Check = (value: unknown) => string | undefined

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isStringList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function checkStrings(value: unknown): string | undefined {
  return isStringList(value) ? undefined : 'is not a list of strings'
}

function checkEntry(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return 'is not a path'
  const outside = /^([/\\]|[a-zA-Z]:)/.test(value) || value.split(/[/\\]/).includes('..')
  return outside ? `"${value}" leads outside the package` : undefined
}

function checkTraits(value: unknown): string | undefined {
  if (!isRecord(value)) return 'is not an object'
  const lists = ['bases', 'mounts', 'limits', 'networks'].filter((key) => !isStringList(value[key]))
  if (lists.length > 0) return `has no list "${lists[0]}"`
  if (typeof value['isolation'] !== 'string') return 'has no "isolation"'
  const flag = ['rootless', 'mapsPorts'].find((key) => typeof value[key] !== 'boolean')
  if (flag !== undefined) return `has no "${flag}" (true or false)`
  return ['undefined', 'boolean'].includes(typeof value['companions'])
    ? undefined
    : 'has "companions" that is neither true nor false'
}

function checkFlags(flags: unknown): string | undefined {
  if (flags === undefined) return undefined
  if (!isRecord(flags)) return 'has "flags" that are no object'
  const wrong = Object.entries(flags).find(
    ([, flag]) => !isRecord(flag) || !flagTypes.includes(String(flag['type'])),
  )
  return wrong && `has a flag "${wrong[0]}" whose type is not one of ${flagTypes.join(', ')}`
}

function checkCommand(command: unknown): string | undefined {
  if (!isRecord(command)) return 'has an item that is no object'
  const id = String(command['id'])
  if (typeof command['id'] !== 'string' || !commandForm.test(id)) return `has a command with the id "${id}"`
  const problem =
    (typeof command['summary'] === 'string' ? undefined : 'has no "summary"') ??
    (Array.isArray(command['examples']) ? undefined : 'has no list "examples"') ??
    checkFlags(command['flags'])
  return problem && `: command "${id}" ${problem}`
}

function checkCommands(value: unknown): string | undefined {
  if (!Array.isArray(value)) return 'is not a list'
  return value.map(checkCommand).find((problem) => problem !== undefined)
}

const required: Readonly<Record<string, Check>> = {
  kind: (value) =>
    typeof value === 'string' && Object.hasOwn(kinds, value)
      ? undefined
      : `is ${JSON.stringify(value)}, not one of ${Object.keys(kinds).join(', ')}`,
  id: (value) =>
    typeof value === 'string' && idForm.test(value)
      ? undefined
      : `is ${JSON.stringify(value)}, not 1 to 40 lower-case letters, digits and hyphens`,
  contract: (value) => (Number.isInteger(value) ? undefined : 'is not a whole number'),
  entry: checkEntry,
}

const optional: Readonly<Record<string, Check>> = {
  platforms: checkStrings,
  facets: checkStrings,
  traits: checkTraits,
  commands: checkCommands,
  hooks: checkStrings,
  methods: (value) => {
    const problem = checkStrings(value)
    if (problem !== undefined) return problem
    const odd = (value as readonly string[]).find((name) => !methodForm.test(name))
    return odd === undefined ? undefined : `has "${odd}", which is no name of a method`
  },
}

function findProblem(fields: Fields): string | undefined {
  for (const [key, check] of Object.entries(required)) {
    const problem = fields[key] === undefined ? 'is missing' : check(fields[key])
    if (problem !== undefined) return joinProblem(key, problem)
  }
  for (const [key, check] of Object.entries(optional)) {
    const problem = fields[key] === undefined ? undefined : check(fields[key])
    if (problem !== undefined) return joinProblem(key, problem)
  }
  return undefined
}

function joinProblem(key: string, problem: string): string {
  return `holm.${key}${problem.startsWith(':') ? '' : ' '}${problem}`
}

function refuse(path: string, problem: string, plugin?: string): never {
  throw new HolmError('HOLM_PLUGIN_INVALID', `${path}: ${problem}`, {
    hint: 'Correct the "holm" key of its package.json.',
    details: { path },
    ...(plugin === undefined ? {} : { plugin }),
  })
}

/**
 * The manifest in a parsed package.json; `path` is for the error, HOLM_PLUGIN_INVALID naming the key. Unknown keys, facets
 * and hooks are left out: a plugin for a later holm of the same contract still loads.
 */
export function parseManifest(content: unknown, path: string): PluginPackage {
  if (!isRecord(content)) return refuse(path, 'is not an object')
  const { name, version, holm } = content
  if (typeof name !== 'string' || name === '') return refuse(path, 'name is missing')
  if (holm === undefined) {
    throw new HolmError('HOLM_PLUGIN_INVALID', `${path}: ${name} is no holm plugin: no "holm" key`, {
      hint: 'Name a package that is a holm plugin.',
      plugin: name,
      details: { path },
    })
  }
  if (!isRecord(holm)) return refuse(path, 'holm is not an object', name)
  const problem = findProblem(holm)
  if (problem !== undefined) return refuse(path, problem, name)
  return {
    name,
    version: typeof version === 'string' ? version : '0.0.0',
    manifest: pickManifest(holm as unknown as PluginManifest),
  }
}

function pickManifest(holm: PluginManifest): PluginManifest {
  const { kind, id, contract, entry, platforms, traits, commands, methods } = holm
  return {
    kind,
    id,
    contract,
    entry,
    ...(platforms && { platforms }),
    ...(traits && { traits }),
    ...(commands && { commands }),
    ...(methods && { methods }),
    ...(holm.facets && { facets: holm.facets.filter((facet) => facetNames.includes(facet)) }),
    ...(holm.hooks && { hooks: holm.hooks.filter((hook) => hookNames.includes(hook)) }),
  }
}
