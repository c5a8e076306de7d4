import { assertEnvironmentName } from './environment-name.ts'
import { homeOf, parseTarget, resolveHostPath, toBind, toTmpfs, toVolume } from './parse-mounts.ts'
import { parseCpus, parseSize } from './parse-quantity.ts'
import { parseExposed, parsePort, uniquePorts } from './parse-ports.ts'
import { HolmError } from '../../errors.ts'
import { omitUndefined } from './omit-undefined.ts'
import { parseSecret } from './parse-secrets.ts'
import { toEnvironment } from './to-environment.ts'
import { toScripts, toStage } from './parse-commands.ts'
import { serviceVariables, toServices } from './to-services.ts'
import { aliasesOf, networkOf } from './service-network.ts'
import type { Blueprint } from '../../blueprint.ts'
import type {
  EnvironmentSpec,
  Lifecycle,
  Mount,
  Provision,
  Resources,
  Security,
  SpecOrigin,
} from '../../spec.ts'
import type { LoadedBlueprint, SpecInput } from './loaded-blueprint.ts'
import type { PathContext } from './parse-mounts.ts'

const defaultProject = '/workspace'

/** A validated native blueprint to the one internal model. Pure. Throws HOLM_NAME_INVALID and HOLM_BLUEPRINT_*. */
export function nativeToSpec(
  loaded: LoadedBlueprint,
  blueprint: Blueprint,
  input: SpecInput,
): EnvironmentSpec {
  const name = input.name ?? loaded.defaultName
  assertEnvironmentName(name)
  const paths: PathContext = { directory: loaded.directory, home: homeOf(input.env) }
  const { hostname = name } = blueprint
  const others = loaded.compose ?? []
  const services = toServices(blueprint.services, { companions: input.companions, others })
  const network = networkOf(name, services, blueprint.network)
  return {
    name,
    ...omitUndefined({ description: blueprint.description }),
    origin: originOf(loaded, blueprint.name),
    base: input.base,
    hostname,
    matchUserId: matchesUserId(blueprint),
    main: 'hold',
    init: true,
    env: toEnvironment(blueprint.environment),
    exec: {
      ...omitUndefined({ user: blueprint.user, workdir: workdirOf(blueprint, input) }),
      env: serviceVariables(services),
      probe: 'none',
    },
    mounts: toMounts(blueprint, loaded, paths),
    ports: uniquePorts([
      ...listOf(blueprint.ports).flatMap((port) => parsePort(port)),
      ...services.filter(({ container }) => container === undefined).flatMap(({ ports }) => ports),
    ]),
    expose: [...new Set(listOf(blueprint.expose).map((port) => parseExposed(port)))],
    network,
    ...(services.some(({ container }) => container) && { aliases: aliasesOf(hostname, services) }),
    resources: toResources(blueprint.resources),
    security: toSecurity(blueprint.security),
    ...(blueprint.docker === true && { nestedDocker: true as const }),
    provision: toProvision(blueprint),
    lifecycle: toLifecycle(blueprint.lifecycle),
    services,
    secrets: toSecrets(blueprint.secrets, paths),
    shutdown: 'stop',
    options: toOptions(blueprint),
    labels: input.labels ?? {},
  }
}

function listOf<Item>(items: readonly Item[] | undefined): readonly Item[] {
  return items ?? []
}

/** Where a spec came from; `name` is the blueprint's own for itself. */
export function originOf(loaded: LoadedBlueprint, name: string | undefined): SpecOrigin {
  const { source, format, project, defaultName } = loaded
  return { blueprint: name ?? defaultName, source, format, project }
}

/** Root and numeric users have an id that is meant. */
function matchesUserId({ matchUserId, user }: Blueprint): boolean {
  return matchUserId ?? (user !== undefined && !/^(?:root|\d+)(?::|$)/.test(user))
}

function toProvision({ packages, tools = {}, scripts }: Blueprint): Provision {
  return {
    packages: [...new Set(packages)],
    tools: toEnvironment(tools),
    setup: toScripts(scripts?.setup),
    postInstall: toScripts(scripts?.postInstall),
  }
}

function toSecrets(secrets: Blueprint['secrets'] = {}, paths: PathContext): EnvironmentSpec['secrets'] {
  const resolvePath = (path: string) => resolveHostPath(path, paths)
  return Object.fromEntries(
    Object.entries(secrets).map(([key, secret]) => [key, parseSecret(secret, resolvePath)]),
  )
}

function workdirOf(blueprint: Blueprint, input: SpecInput): string | undefined {
  if (blueprint.workdir !== undefined) return parseTarget(blueprint.workdir)
  if (blueprint.project === false) return input.baseInfo?.workdir
  return parseTarget(blueprint.project ?? defaultProject)
}

/** The project first; a mount of the blueprint at the same place replaces it. */
function toMounts(blueprint: Blueprint, loaded: LoadedBlueprint, paths: PathContext): Mount[] {
  const declared: Mount[] = [
    ...listOf(blueprint.bind_mounts).map((mount) => toBind(mount, paths)),
    ...listOf(blueprint.volumes).map((volume) => toVolume(volume)),
    ...listOf(blueprint.tmpfs).map((tmpfs) => toTmpfs(tmpfs)),
  ]
  assertDistinctTargets(declared)
  if (blueprint.project === false) return declared
  const target = parseTarget(blueprint.project ?? defaultProject)
  if (declared.some((mount) => mount.target === target)) return declared
  return [{ type: 'bind', source: loaded.project, target, readonly: false }, ...declared]
}

function assertDistinctTargets(mounts: readonly Mount[]): void {
  const seen = new Set<string>()
  for (const { target } of mounts) {
    if (seen.has(target)) {
      throw new HolmError('HOLM_BLUEPRINT_INVALID', `two mounts have one target: ${target}`, {
        hint: `Keep one of the mounts at ${target}.`,
        details: { target },
      })
    }
    seen.add(target)
  }
}

function toResources({ cpus, memory, disk, pids }: NonNullable<Blueprint['resources']> = {}): Resources {
  return omitUndefined({
    cpus: cpus === undefined ? cpus : parseCpus(cpus),
    memoryBytes: memory === undefined ? memory : parseSize(memory),
    diskBytes: disk === undefined ? disk : parseSize(disk),
    pids,
  })
}

function toSecurity(security: Blueprint['security'] = {}): Security {
  const { privileged = false, capAdd = [], capDrop = [], securityOpt = [], devices = [] } = security
  return { privileged, capAdd, capDrop, securityOpt, devices }
}

function toLifecycle(stages: Blueprint['lifecycle'] = {}): Lifecycle {
  return {
    initialize: toStage(stages.initialize),
    onCreate: toStage(stages.onCreate),
    updateContent: toStage(stages.updateContent),
    postCreate: toStage(stages.postCreate),
    postStart: toStage(stages.postStart),
    postAttach: toStage(stages.postAttach),
    waitFor: 'postStart',
  }
}

/** thresh writes wsl.conf at the top level; here it is the section of the wsl provider. */
function toOptions(blueprint: Blueprint): Readonly<Record<string, unknown>> {
  const { wslConfig, wslConfigFile, wslConfigCustom, providers = {} } = blueprint
  const legacy = { wslConfig, wslConfigFile, wslConfigCustom }
  const given = Object.fromEntries(Object.entries(legacy).filter(([, value]) => value !== undefined))
  if (Object.keys(given).length === 0) return providers
  return { ...providers, wsl: { ...given, ...(providers['wsl'] as object | undefined) } }
}
