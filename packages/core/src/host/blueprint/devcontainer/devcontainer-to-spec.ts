import { basename } from 'node:path'
import { HolmError, isHolmError } from '../../../errors.ts'
import { assertEnvironmentName } from '../environment-name.ts'
import { devcontainerId, substitute } from './variables.ts'
import { formatPath } from '../plain-value.ts'
import { homeOf, parseTarget } from '../parse-mounts.ts'
import { mergeImageMetadata, metadataLabel } from './image-metadata.ts'
import { omitUndefined } from '../omit-undefined.ts'
import { originOf } from '../native-to-spec.ts'
import { parseMount } from './mount-text.ts'
import { parsePort, uniquePorts } from '../parse-ports.ts'
import { parseRunArgs } from './run-args.ts'
import { toStage } from '../parse-commands.ts'
import type { BlueprintCommand } from '../../../blueprint.ts'
import type { DevcontainerConfig } from './devcontainer-config.ts'
import type {
  Base,
  CommandStage,
  EnvironmentSpec,
  ExecDefaults,
  Lifecycle,
  LifecycleStage,
  Mount,
  PortRequest,
  Security,
} from '../../../spec.ts'
import type { HostRequirements, LoadedBlueprint, SpecInput, SpecResult } from '../loaded-blueprint.ts'
import type { MergedDevcontainer } from './image-metadata.ts'
import type { PathContext } from '../parse-mounts.ts'
import type { RunArgs } from './run-args.ts'
import type { VariableContext } from './variables.ts'

interface Translation {
  readonly loaded: LoadedBlueprint
  readonly input: SpecInput
  /** Merged with the image's label, variables replaced. */
  readonly merged: MergedDevcontainer
  readonly runArgs: RunArgs
  readonly paths: PathContext
  readonly workspace: { readonly folder: string; readonly mount: Mount | undefined }
}

/** A devcontainer.json to the one internal model. Pure. Throws HOLM_NAME_INVALID and HOLM_BLUEPRINT_*, with `details.path`. */
export function devcontainerToSpec(
  loaded: LoadedBlueprint,
  config: DevcontainerConfig,
  input: SpecInput,
): SpecResult {
  const translation = createTranslation(loaded, config, input)
  const { merged, runArgs } = translation
  const requirements = merged.requirements
  const { ports, warnings } = toPorts(translation)
  return {
    spec: buildSpec(translation, ports),
    warnings: [
      ...loaded.warnings,
      ...merged.warnings,
      ...runArgs.warnings,
      ...warnings,
      ...workspaceWarnings(translation),
    ],
    ...(Object.keys(requirements).length === 0 ? {} : { requirements }),
  }
}

function createTranslation(
  loaded: LoadedBlueprint,
  config: DevcontainerConfig,
  input: SpecInput,
): Translation {
  const variables = createVariables(loaded, config, input.env)
  const merged = substitute(mergeImageMetadata(config, input.baseInfo?.labels[metadataLabel]), variables)
  const paths: PathContext = { directory: loaded.project, home: homeOf(input.env) }
  return {
    loaded,
    input,
    merged,
    paths,
    runArgs: parseRunArgs(merged.config.runArgs ?? [], { paths, env: input.env }),
    workspace: toWorkspace(merged.config, variables, paths),
  }
}

/** What the variables of this file stand for; the workspace folder may itself be written with variables. */
export function createVariables(
  loaded: Pick<LoadedBlueprint, 'project' | 'source'>,
  config: DevcontainerConfig,
  env: VariableContext['env'],
): VariableContext {
  const context: VariableContext = {
    env,
    localWorkspaceFolder: loaded.project,
    devcontainerId: devcontainerId({
      'devcontainer.config_file': loaded.source,
      'devcontainer.local_folder': loaded.project,
    }),
  }
  const written =
    config.workspaceFolder === undefined ? undefined : substitute(config.workspaceFolder, context)
  return { ...context, containerWorkspaceFolder: written ?? defaultFolder(loaded.project) }
}

function defaultFolder(project: string): string {
  return `/workspaces/${basename(project) || 'project'}`
}

function toWorkspace(
  config: DevcontainerConfig,
  variables: VariableContext,
  paths: PathContext,
): Translation['workspace'] {
  const { workspaceMount } = config
  const project = variables.localWorkspaceFolder
  const folder = at(['workspaceFolder'], () => parseTarget(variables.containerWorkspaceFolder ?? '/'))
  if (workspaceMount === '') return { folder, mount: undefined }
  if (workspaceMount !== undefined)
    return { folder, mount: at(['workspaceMount'], () => parseMount(workspaceMount, paths)) }
  // As the reference does: a workspaceFolder alone does not move the mount.
  return { folder, mount: { type: 'bind', source: project, target: defaultFolder(project), readonly: false } }
}

function workspaceWarnings({ merged, workspace: { folder, mount } }: Translation): string[] {
  const outside =
    mount !== undefined &&
    folder !== mount.target &&
    !folder.startsWith(`${mount.target.replace(/\/$/, '')}/`)
  if (!outside || merged.config.workspaceMount !== undefined) return []
  return [
    `workspaceFolder ${folder} is not in the project, which is mounted at ${mount.target}: set workspaceMount too`,
  ]
}

function buildSpec(translation: Translation, ports: readonly PortRequest[]): EnvironmentSpec {
  const { loaded, input, merged, runArgs } = translation
  const { config } = merged
  const { cpus, memoryBytes, pids, network = 'default' } = runArgs
  const name = input.name ?? loaded.defaultName
  assertEnvironmentName(name)
  const user = config.containerUser ?? runArgs.user
  return {
    name,
    origin: originOf(loaded, config.name),
    base: withCache(input.base, config),
    hostname: runArgs.hostname ?? name,
    ...omitUndefined({ user }),
    matchUserId: config.updateRemoteUserUID ?? true,
    main: config.overrideCommand === false ? 'base' : 'hold',
    init: config.init === true || runArgs.init,
    env: { ...runArgs.env, ...config.containerEnv },
    exec: toExec(translation, user),
    mounts: toMounts(translation),
    ports,
    expose: [],
    network,
    resources: omitUndefined({ cpus, memoryBytes, pids }),
    security: toSecurity(translation),
    provision: { packages: [], tools: {}, setup: [], postInstall: [] },
    lifecycle: toLifecycle(merged),
    services: [],
    secrets: toSecrets(config),
    shutdown: config.shutdownAction === 'none' ? 'none' : 'stop',
    options: toOptions(runArgs, merged.requirements),
    labels: { ...runArgs.labels, ...input.labels },
  }
}

function toSecurity({ merged: { config }, runArgs }: Translation): Security {
  const { capAdd = [], securityOpt = [] } = config
  return {
    privileged: config.privileged === true || runArgs.privileged,
    capAdd: unique([...capAdd, ...runArgs.capAdd]),
    capDrop: unique(runArgs.capDrop),
    securityOpt: unique([...securityOpt, ...runArgs.securityOpt]),
    devices: unique(runArgs.devices),
  }
}

function unique<Item>(items: readonly Item[]): Item[] {
  return [...new Set(items)]
}

function withCache(base: Base, config: DevcontainerConfig): Base {
  const cache = config.build?.cacheFrom
  if (base.kind !== 'build' || cache === undefined) return base
  return { ...base, cacheFrom: typeof cache === 'string' ? [cache] : cache }
}

function toExec({ merged, workspace }: Translation, containerUser: string | undefined): ExecDefaults {
  const user = merged.config.remoteUser ?? containerUser
  return {
    ...omitUndefined({ user }),
    workdir: workspace.folder,
    env: merged.config.remoteEnv ?? {},
    probe: merged.config.userEnvProbe ?? 'loginInteractiveShell',
  }
}

/** By target, the last one wins; the project comes first and may be replaced. */
function toMounts({ merged, runArgs, workspace, paths }: Translation): Mount[] {
  const declared = merged.mounts.map((mount, index) => at(['mounts', index], () => parseMount(mount, paths)))
  const all = [...(workspace.mount === undefined ? [] : [workspace.mount]), ...declared, ...runArgs.mounts]
  return [...new Map(all.map((mount) => [mount.target, mount])).values()]
}

function toPorts({ merged, runArgs }: Translation): { ports: PortRequest[]; warnings: string[] } {
  const { appPort = [], forwardPorts = [] } = merged.config
  const published = (Array.isArray(appPort) ? appPort : [appPort]) as readonly (number | string)[]
  const warnings: string[] = []
  const forwarded = forwardPorts.flatMap((port, index) => {
    const local = typeof port === 'string' ? /^(?:(?:localhost|127\.0\.0\.1):)?(\d+)$/.exec(port)?.[1] : port
    if (local !== undefined) return at(['forwardPorts', index], () => parsePort(local))
    warnings.push(`forwardPorts: ${JSON.stringify(port)} is a port of another machine and is not forwarded`)
    return []
  })
  const ports = [...published.flatMap((port) => at(['appPort'], () => parsePort(port))), ...runArgs.ports]
  const taken = new Set(ports.map((port) => port.container))
  // A forwarded port that is published anyway needs no second way.
  return {
    ports: uniquePorts([...ports, ...forwarded.filter((port) => !taken.has(port.container))]),
    warnings,
  }
}

function toLifecycle({ config, commands }: MergedDevcontainer): Lifecycle {
  const stage = (list: readonly BlueprintCommand[]): CommandStage =>
    list.flatMap((command) => toStage(command))
  return {
    initialize: toStage(config.initializeCommand),
    onCreate: stage(commands.onCreate),
    updateContent: stage(commands.updateContent),
    postCreate: stage(commands.postCreate),
    postStart: stage(commands.postStart),
    postAttach: stage(commands.postAttach),
    waitFor: (config.waitFor?.replace(/Command$/, '') ?? 'updateContent') as LifecycleStage,
  }
}

/** Recommended, never required: each is taken from the variable of the same name when there is one. */
function toSecrets(config: DevcontainerConfig): EnvironmentSpec['secrets'] {
  const names = Object.keys(config.secrets ?? {})
  return Object.fromEntries(names.map((name) => [name, { from: 'env', key: name, optional: true }]))
}

function toOptions(runArgs: RunArgs, requirements: HostRequirements): Readonly<Record<string, unknown>> {
  const gpus = requirements.gpu === 'required' ? { gpus: 'all' } : {}
  const docker = { ...gpus, ...runArgs.docker }
  return Object.keys(docker).length === 0 ? {} : { docker }
}

/** Names the key in an error of a parser, so that the loader can add line and column. */
function at<Value>(path: readonly (string | number)[], parse: () => Value): Value {
  try {
    return parse()
  } catch (error) {
    if (!isHolmError(error)) throw error
    const { code, message, hint } = error
    throw new HolmError(code, `${formatPath(path)}: ${message}`, {
      ...omitUndefined({ hint }),
      details: { ...error.details, path },
    })
  }
}
