import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parseEnv } from 'node:util'
import { HolmError } from '../../../errors.ts'
import type { Blueprint } from '../../../blueprint.ts'
import type { ServiceSpec } from '../../../spec.ts'
import { didYouMean } from '../../did-you-mean.ts'
import { parseDocument } from '../parse-document.ts'
import { homeOf, resolveHostPath } from '../parse-mounts.ts'
import { interpolateAll, type Variables } from './interpolate.ts'
import { dependenciesOf, toService, unsupported, type Service, type ServiceContext } from './service.ts'
import { field, invalid, toMap, toTexts } from './values.ts'

export interface ComposeServices {
  readonly services: readonly ServiceSpec[]
  /** At most two: what is left out, and variables that are not set. */
  readonly warnings: readonly string[]
}

export interface ComposeInput {
  readonly compose: NonNullable<Blueprint['compose']>
  /** Folder that a relative path means. */
  readonly directory: string
  readonly env: Variables
}

/** Reads a Compose file and the `.env` beside it; writes nothing, starts nothing. */
export async function loadCompose({ compose, directory, env }: ComposeInput): Promise<ComposeServices> {
  const wanted = typeof compose === 'string' ? { file: compose } : compose
  const file = resolveHostPath(wanted.file, { directory, home: homeOf(env) })
  const text = readOptional(file)
  if (text === undefined) throw missing(file)
  const folder = dirname(file)
  const document = await parseDocument(text, file, 'yaml')
  const variables = { ...parseEnv(readOptional(join(folder, '.env')) ?? ''), ...env }
  const unset = new Set<string>()
  const left = new Set<string>()
  const value = interpolateAll(document.value, { variables, onUnset: (name) => unset.add(name) })
  const root = toMap({ value, path: basename(file) })
  assertTop(root)
  const context: ServiceContext = {
    directory: folder,
    home: homeOf(env),
    variables,
    readFile: readOptional,
    declared: new Set(declaredVolumes(root)),
    leaveOut: (what) => left.add(what),
    freePorts: wanted.ports === 'free',
  }
  const services = translate(root, wanted, context)
  const name = basename(file)
  return {
    services,
    warnings: [
      ...(left.size > 0 ? [`${name}: left out, as holm does not know it: ${[...left].join(', ')}`] : []),
      ...(unset.size > 0 ? [`${name}: not set, taken as empty: ${[...unset].join(', ')}`] : []),
    ],
  }
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new HolmError('HOLM_BLUEPRINT_INVALID', `cannot read ${path}: ${(error as Error).message}`, {
      hint: 'Check the path and its permissions.',
      cause: error,
      details: { path },
    })
  }
}

function missing(file: string): HolmError {
  return new HolmError('HOLM_BLUEPRINT_INVALID', `compose: there is no file ${file}`, {
    hint: 'Correct the path; it is relative to the blueprint.',
    details: { path: 'compose', file },
  })
}

function assertTop(root: Service): void {
  if (root['include'] !== undefined) throw unsupported('include', 'it includes other files')
  const networks = field(root, 'networks', '')
  for (const [name, value] of Object.entries(networks ? toMap(networks) : {}))
    if (isExternal(value)) throw unsupported(`networks.${name}`, 'it is made elsewhere')
}

function isExternal(value: unknown): boolean {
  const external = (value as { external?: unknown } | null | undefined)?.external
  return external !== undefined && external !== false && external !== 'false'
}

/** A volume from elsewhere, or of another driver, holds other data than one of holm's own would. */
function declaredVolumes(root: Service): string[] {
  const volumes = field(root, 'volumes', '')
  const entries = Object.entries(volumes ? toMap(volumes) : {})
  for (const [name, value] of entries) {
    const { driver, driver_opts: options } = (value ?? {}) as { driver?: unknown; driver_opts?: unknown }
    if (isExternal(value)) throw unsupported(`volumes.${name}`, 'it is made elsewhere')
    if ((driver !== undefined && driver !== 'local') || options !== undefined)
      throw unsupported(`volumes.${name}`, 'it is of a driver')
  }
  return entries.map(([name]) => name)
}

type Wanted = Exclude<NonNullable<Blueprint['compose']>, string>

function translate(root: Service, wanted: Wanted, context: ServiceContext): ServiceSpec[] {
  const given = field(root, 'services', '')
  if (given === undefined) throw invalid({ path: 'services', value: undefined }, 'a map of services')
  const all = new Map(
    Object.entries(toMap(given)).map(([name, value]) => [name, toMap({ value, path: `services.${name}` })]),
  )
  const chosen = choose(all, wanted)
  const dependencies = [...chosen].flatMap(([name, service]) => dependenciesOf(service, `services.${name}`))
  const awaited = new Set(
    dependencies
      .filter(({ condition }) => condition === 'service_completed_successfully')
      .map(({ name }) => name),
  )
  const optional = new Set(dependencies.filter(({ required }) => !required).map(({ name }) => name))
  return [...chosen].map(([name, service]) => {
    const spec = toService(name, service, context)
    const dependsOn = spec.dependsOn.filter((each) => chosen.has(each) || !optional.has(each))
    return { ...spec, dependsOn, ...(awaited.has(name) && { task: true as const }) }
  })
}

/** Those that are named, else those without a profile or with one that is asked for; and what they need. */
function choose(
  all: ReadonlyMap<string, Service>,
  { services, profiles = [] }: Wanted,
): Map<string, Service> {
  for (const name of services ?? []) {
    if (all.has(name)) continue
    throw new HolmError(
      'HOLM_BLUEPRINT_INVALID',
      `compose.services: ${JSON.stringify(name)} is no service of the Compose file${didYouMean(name, [...all.keys()])}`,
      { hint: `It has: ${[...all.keys()].join(', ')}`, details: { path: 'compose.services' } },
    )
  }
  const chosen = new Set<string>()
  const add = (name: string): void => {
    const service = all.get(name)
    if (service === undefined || chosen.has(name)) return
    chosen.add(name)
    for (const { name: needed, required } of dependenciesOf(service, `services.${name}`))
      if (required) add(needed)
  }
  const active = (name: string, service: Service): boolean => {
    const own = field(service, 'profiles', `services.${name}`)
    return own === undefined || toTexts(own).some((profile) => profiles.includes(profile))
  }
  for (const [name, service] of all)
    if (services === undefined ? active(name, service) : services.includes(name)) add(name)
  return new Map([...all].filter(([name]) => chosen.has(name)))
}
