import { assertEnvironmentName } from './environment-name.ts'
import { homeOf, parseTarget, resolveHostPath, toBind, toTmpfs, toVolume } from './parse-mounts.ts'
import { parseCpus, parseSize } from './parse-quantity.ts'
import { parseExposed, parsePort, uniquePorts } from './parse-ports.ts'
import { HolmError } from '../../errors.ts'
import { parseSecret } from './parse-secrets.ts'
import { toEnvironment } from './to-environment.ts'
import { toScripts, toStage } from './parse-commands.ts'
import { toServices } from './to-services.ts'
import type { Blueprint } from '../../blueprint.ts'
import type { EnvironmentSpec, Lifecycle, Mount, Resources, Security } from '../../spec.ts'
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
  const { description, user, network = 'default', hostname = name } = blueprint
  const mounts = toMounts(blueprint, loaded, paths)
  const workdir = workdirOf(blueprint, input)
  return {
    name,
    ...(description === undefined ? {} : { description }),
    origin: {
      blueprint: blueprint.name ?? loaded.defaultName,
      source: loaded.source,
      format: loaded.format,
      project: loaded.project,
    },
    base: input.base,
    hostname,
    matchUserId: blueprint.matchUserId ?? (user !== undefined && !/^(?:root|\d+)(?::|$)/.test(user)),
    main: 'hold',
    init: true,
    env: toEnvironment(blueprint.environment),
    exec: {
      ...(user === undefined ? {} : { user }),
      ...(workdir === undefined ? {} : { workdir }),
      env: {},
      probe: 'none',
    },
    mounts,
    ports: uniquePorts((blueprint.ports ?? []).flatMap((port) => parsePort(port))),
    expose: [...new Set((blueprint.expose ?? []).map((port) => parseExposed(port)))],
    network,
    resources: toResources(blueprint.resources ?? {}),
    security: toSecurity(blueprint.security ?? {}),
    provision: {
      packages: [...new Set(blueprint.packages)],
      tools: Object.fromEntries(
        Object.entries(blueprint.tools ?? {}).map(([tool, version]) => [tool, String(version)]),
      ),
      setup: toScripts(blueprint.scripts?.setup),
      postInstall: toScripts(blueprint.scripts?.postInstall),
    },
    lifecycle: toLifecycle(blueprint.lifecycle ?? {}),
    services: toServices(blueprint.services ?? {}),
    secrets: Object.fromEntries(
      Object.entries(blueprint.secrets ?? {}).map(([key, secret]) => [
        key,
        parseSecret(secret, (path) => resolveHostPath(path, paths)),
      ]),
    ),
    shutdown: 'stop',
    options: toOptions(blueprint),
    labels: input.labels ?? {},
  }
}

function workdirOf(blueprint: Blueprint, input: SpecInput): string | undefined {
  if (blueprint.workdir !== undefined) return parseTarget(blueprint.workdir)
  if (blueprint.project === false) return input.baseInfo?.workdir
  return parseTarget(blueprint.project ?? defaultProject)
}

/** The project first; a mount of the blueprint at the same place replaces it. */
function toMounts(blueprint: Blueprint, loaded: LoadedBlueprint, paths: PathContext): Mount[] {
  const declared: Mount[] = [
    ...(blueprint.bind_mounts ?? []).map((mount) => toBind(mount, paths)),
    ...(blueprint.volumes ?? []).map((volume) => toVolume(volume)),
    ...(blueprint.tmpfs ?? []).map((tmpfs) => toTmpfs(tmpfs)),
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

function toResources(resources: NonNullable<Blueprint['resources']>): Resources {
  const { cpus, memory, disk, pids } = resources
  return {
    ...(cpus === undefined ? {} : { cpus: parseCpus(cpus) }),
    ...(memory === undefined ? {} : { memoryBytes: parseSize(memory) }),
    ...(disk === undefined ? {} : { diskBytes: parseSize(disk) }),
    ...(pids === undefined ? {} : { pids }),
  }
}

function toSecurity(security: NonNullable<Blueprint['security']>): Security {
  const { privileged = false, capAdd = [], capDrop = [], securityOpt = [], devices = [] } = security
  return { privileged, capAdd, capDrop, securityOpt, devices }
}

function toLifecycle(stages: NonNullable<Blueprint['lifecycle']>): Lifecycle {
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
