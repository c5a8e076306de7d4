import { parseEnv } from 'node:util'
import { HolmError } from '../../../errors.ts'
import type { PortRequest, Resources, ServiceContainer, ServiceSpec } from '../../../spec.ts'
import { omitUndefined } from '../omit-undefined.ts'
import { resolveHostPath } from '../parse-mounts.ts'
import { parsePort, uniquePorts } from '../parse-ports.ts'
import { parseCpus, parseSize } from '../parse-quantity.ts'
import { isRecord } from '../plain-value.ts'
import { toHealthCheck } from './health.ts'
import { isDefault, refusedKeys, silentKeys, translatedKeys } from './keys.ts'
import { splitWords } from './shell-words.ts'
import { toMounts, type VolumeContext } from './volumes.ts'
import type { Variables } from './interpolate.ts'
import {
  field,
  invalid,
  toBoolean,
  toList,
  toMap,
  toNumber,
  toPairs,
  toText,
  toTexts,
  type Field,
} from './values.ts'

export type Service = Readonly<Record<string, unknown>>

export interface ServiceContext extends VolumeContext {
  readonly variables: Variables
  /** Undefined for a file that is not there. */
  readonly readFile: (path: string) => string | undefined
  /** Told once for everything that is left out. */
  readonly leaveOut: (what: string) => void
  /** The host's half of published ports is not taken over. */
  readonly freePorts: boolean
}

/** One service of a Compose file. HOLM_BLUEPRINT_UNSUPPORTED for what cannot be left out. */
export function toService(name: string, service: Service, context: ServiceContext): ServiceSpec {
  const path = `services.${name}`
  assertKeys(path, service, context)
  const health = field(service, 'healthcheck', path)
  const healthCheck = health && toHealthCheck(health)
  return {
    name,
    container: toContainer(path, service, context),
    env: toEnvironment(path, service, context),
    ports: toPorts(field(service, 'ports', path), context),
    dependsOn: dependenciesOf(service, path).map((dependency) => dependency.name),
    ...omitUndefined({ healthCheck }),
    restart: toRestart(field(service, 'restart', path)),
  }
}

function assertKeys(path: string, service: Service, { leaveOut }: ServiceContext): void {
  for (const [key, value] of Object.entries(service)) {
    if (key.startsWith('x-') || silentKeys.has(key) || isDefault(key, value)) continue
    const reason = refusedKeys[key]
    if (reason !== undefined) throw unsupported(`${path}.${key}`, `the service ${reason}`)
    if (!translatedKeys.has(key)) leaveOut(`${path}.${key}`)
  }
}

export function unsupported(path: string, what: string): HolmError {
  return new HolmError(
    'HOLM_BLUEPRINT_UNSUPPORTED',
    `${path} of the Compose file: ${what}, which holm does not do`,
    {
      hint: `Remove ${path}, or leave the service out: compose.services names those that are run.`,
      details: { path },
    },
  )
}

function toContainer(path: string, service: Service, context: ServiceContext): ServiceContainer {
  const text = (key: string): string | undefined => {
    const found = field(service, key, path)
    return found && toText(found)
  }
  const texts = (key: string): string[] => {
    const found = field(service, key, path)
    return found ? toTexts(found) : []
  }
  const init = field(service, 'init', path)
  const [capAdd, capDrop] = [texts('cap_add'), texts('cap_drop')]
  const container = text('container_name')
  return {
    base: toBase(path, service, context),
    ...omitUndefined({
      entrypoint: toCommand(field(service, 'entrypoint', path)),
      args: toCommand(field(service, 'command', path)),
      hostname: text('hostname'),
      user: text('user'),
      workdir: text('working_dir'),
      init: init && toBoolean(init),
      resources: toResources(path, service),
    }),
    aliases: [
      ...(container === undefined ? [] : [container]),
      ...aliasesOf(field(service, 'networks', path)),
    ],
    mounts: toMounts(service, path, context),
    ...(capAdd.length + capDrop.length > 0 && { security: { capAdd, capDrop } }),
  }
}

/** A service that is built has its image for a name only. */
function toBase(path: string, service: Service, context: ServiceContext): ServiceContainer['base'] {
  const build = field(service, 'build', path)
  if (build) return toBuild(build, context)
  const image = field(service, 'image', path)
  if (image) return { kind: 'image', reference: toText(image) }
  throw invalid({ path, value: service }, 'a service with an image or a build')
}

const buildKeys: ReadonlySet<string> = new Set([
  'context',
  'dockerfile',
  'args',
  'target',
  'cache_from',
  'labels',
  'tags',
])

function toBuild(given: Field, context: ServiceContext): ServiceContainer['base'] {
  const map = isRecord(given.value) ? given.value : { context: toText(given) }
  const text = (key: string, fallback: string): string => {
    const found = field(map, key, given.path)
    return found ? toText(found) : fallback
  }
  for (const key of Object.keys(map).filter((each) => !buildKeys.has(each)))
    throw unsupported(`${given.path}.${key}`, 'the build needs it')
  const folder = text('context', '.')
  if (/^[a-z+]+:\/\/|^git@/.test(folder))
    throw unsupported(`${given.path}.context`, 'it is fetched from elsewhere')
  const place = resolveHostPath(folder, context)
  const args = field(map, 'args', given.path)
  const target = field(map, 'target', given.path)
  return {
    kind: 'build',
    context: place,
    dockerfile: resolveHostPath(text('dockerfile', 'Dockerfile'), { ...context, directory: place }),
    args: Object.fromEntries(
      (args ? toPairs(args) : []).flatMap(([key, value = context.variables[key]]) =>
        value === undefined ? [] : [[key, value] as const],
      ),
    ),
    ...(target && { target: toText(target) }),
  }
}

function toCommand(given: Field | undefined): readonly string[] | undefined {
  if (given === undefined) return undefined
  return Array.isArray(given.value) ? toTexts(given) : splitWords(toText(given))
}

function aliasesOf(networks: Field | undefined): string[] {
  if (networks === undefined || !isRecord(networks.value)) return []
  return Object.entries(networks.value).flatMap(([name, value]) => {
    const aliases = isRecord(value) ? field(value, 'aliases', `${networks.path}.${name}`) : undefined
    return aliases ? toTexts(aliases) : []
  })
}

/** What files say first, what the service itself says over it; a name without a value is taken from this machine. */
function toEnvironment(path: string, service: Service, context: ServiceContext): Record<string, string> {
  const files = field(service, 'env_file', path)
  const environment = field(service, 'environment', path)
  const own = (environment ? toPairs(environment) : []).flatMap(([key, value = context.variables[key]]) =>
    value === undefined ? [] : [[key, value] as const],
  )
  const read = (files ? toList(files) : []).map((file) => readEnvFile(file, context))
  return Object.assign({}, ...read, Object.fromEntries(own)) as Record<string, string>
}

function readEnvFile(given: Field, context: ServiceContext): Record<string, string | undefined> {
  const map = isRecord(given.value) ? given.value : { path: toText(given) }
  const name = field(map, 'path', given.path)
  if (name === undefined) throw invalid(given, 'the path of a file')
  const file = resolveHostPath(toText(name), context)
  const text = context.readFile(file)
  const required = field(map, 'required', given.path)
  if (text !== undefined) return parseEnv(text)
  if (required && !toBoolean(required)) return {}
  throw new HolmError('HOLM_BLUEPRINT_INVALID', `${given.path} of the Compose file: there is no ${file}`, {
    hint: 'Write that file, or say `required: false`.',
    details: { path: given.path, file },
  })
}

function toPorts(given: Field | undefined, { freePorts }: ServiceContext): PortRequest[] {
  if (given === undefined) return []
  const ports = toList(given).flatMap((entry) => (isRecord(entry.value) ? longPort(entry) : shortPort(entry)))
  return uniquePorts(freePorts ? ports.map(({ host: _host, ...port }) => port) : ports)
}

/** A port alone is published on a free one. */
function shortPort(given: Field): readonly PortRequest[] {
  const text = toText(given)
  const ports = parsePort(text)
  return text.includes(':') ? ports : ports.map(({ host: _host, ...port }) => port)
}

function longPort(given: Field): readonly PortRequest[] {
  const map = toMap(given)
  const text = (key: string, fallback: string): string => {
    const found = field(map, key, given.path)
    return found ? toText(found) : fallback
  }
  const address = text('host_ip', '')
  const host = address === '' ? '' : `${address.includes(':') ? `[${address}]` : address}:`
  return parsePort(`${host}${text('published', '')}:${text('target', '')}/${text('protocol', 'tcp')}`)
}

function toRestart(given: Field | undefined): ServiceSpec['restart'] {
  const policy = given === undefined ? 'no' : toText(given).replace(/^on-failure:\d+$/, 'on-failure')
  if (policy === 'always' || policy === 'unless-stopped') return 'always'
  if (policy === 'on-failure') return policy
  // YAML reads a bare `no` as a text here, older files say false.
  if (policy === 'no' || policy === 'false') return 'no'
  throw invalid({ path: given?.path ?? '', value: policy }, 'no, on-failure, always or unless-stopped')
}

/** The limits of the service itself, else those of its deployment. */
function toResources(path: string, service: Service): Resources | undefined {
  const deploy = field(service, 'deploy', path)
  const resources = deploy && field(toMap(deploy), 'resources', deploy.path)
  const limits = resources && field(toMap(resources), 'limits', resources.path)
  const find = (own: string, deployed: string): Field | undefined =>
    field(service, own, path) ?? (limits && field(toMap(limits), deployed, limits.path))
  const [cpus, memory, pids] = [find('cpus', 'cpus'), find('mem_limit', 'memory'), find('pids_limit', 'pids')]
  if (!cpus && !memory && !pids) return undefined
  return omitUndefined({
    cpus: cpus && parseCpus(toText(cpus)),
    memoryBytes: memory && parseSize(toText(memory)),
    pids: pids && toNumber(pids),
  })
}

export interface Dependency {
  readonly name: string
  readonly condition: string
  readonly required: boolean
}

export function dependenciesOf(service: Service, path: string): readonly Dependency[] {
  const given = field(service, 'depends_on', path)
  if (given === undefined) return []
  if (!isRecord(given.value))
    return toTexts(given).map((name) => ({ name, condition: 'service_started', required: true }))
  return Object.entries(given.value).map(([name, value]) => {
    const map = isRecord(value) ? value : {}
    const required = field(map, 'required', `${given.path}.${name}`)
    const condition = field(map, 'condition', `${given.path}.${name}`)
    return {
      name,
      condition: condition ? toText(condition) : 'service_started',
      required: required === undefined || toBoolean(required),
    }
  })
}
