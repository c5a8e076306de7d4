import { parseSize } from '../parse-quantity.ts'
import { isRecord } from '../plain-value.ts'
import { mergeRequirements, toRequirements } from './host-requirements.ts'
import type { BlueprintCommand } from '../../../blueprint.ts'
import type {
  DevcontainerConfig,
  DevcontainerMetadata,
  DevcontainerMount,
  innerStages,
} from './devcontainer-config.ts'
import type { HostRequirements } from '../loaded-blueprint.ts'

export const metadataLabel = 'devcontainer.metadata'

/** A devcontainer.json with what its image says of itself: lists where several may speak, the file's own last. */
export interface MergedDevcontainer {
  readonly config: DevcontainerConfig
  readonly commands: Readonly<Record<(typeof innerStages)[number], readonly BlueprintCommand[]>>
  readonly mounts: readonly (string | DevcontainerMount)[]
  readonly requirements: HostRequirements
  readonly warnings: readonly string[]
}

/**
 * Merges the image's label by the rules of the specification: init and privileged when anyone asks; capAdd, securityOpt and
 * forwardPorts together; mounts by target and variables by name, last wins; commands one after another; requirements the
 * largest; everything else last wins, and devcontainer.json is last. A label that cannot be read is a warning: the image
 * is not the user's.
 */
export function mergeImageMetadata(
  config: DevcontainerConfig,
  label: string | undefined,
): MergedDevcontainer {
  const { entries, warnings } = parseMetadata(label)
  const sources: readonly DevcontainerMetadata[] = [...entries, config]
  const lastWins = Object.assign({}, ...sources) as DevcontainerConfig
  return {
    config: {
      ...lastWins,
      init: sources.some((source) => source.init),
      privileged: sources.some((source) => source.privileged),
      capAdd: together(sources, (source) => source.capAdd),
      securityOpt: together(sources, (source) => source.securityOpt),
      forwardPorts: together(sources, (source) => source.forwardPorts),
      containerEnv: Object.assign({}, ...sources.map((source) => source.containerEnv)) as Record<
        string,
        string
      >,
      remoteEnv: Object.assign({}, ...sources.map((source) => source.remoteEnv)) as Record<
        string,
        string | null
      >,
    },
    commands: collectCommands(sources),
    mounts: sources.flatMap((source) => source.mounts ?? []),
    requirements: sources
      .map((source) => toRequirements(source.hostRequirements ?? {}))
      .reduce(mergeRequirements),
    warnings: [...warnings, ...entrypointWarnings(entries)],
  }
}

function together<Item>(
  sources: readonly DevcontainerMetadata[],
  pick: (source: DevcontainerMetadata) => readonly Item[] | undefined,
): Item[] {
  return [...new Set(sources.flatMap((source) => pick(source) ?? []))]
}

function collectCommands(sources: readonly DevcontainerMetadata[]): MergedDevcontainer['commands'] {
  const of = (key: `${(typeof innerStages)[number]}Command`): BlueprintCommand[] =>
    sources.map((source) => source[key]).filter((command) => command !== undefined)
  return {
    onCreate: of('onCreateCommand'),
    updateContent: of('updateContentCommand'),
    postCreate: of('postCreateCommand'),
    postStart: of('postStartCommand'),
    postAttach: of('postAttachCommand'),
  }
}

function entrypointWarnings(entries: readonly DevcontainerMetadata[]): string[] {
  const entrypoints = entries.flatMap((entry) => entry.entrypoint ?? [])
  return entrypoints.map(
    (entrypoint) => `the image asks for the start-up script ${entrypoint}, which holm does not run yet`,
  )
}

interface ParsedMetadata {
  readonly entries: readonly DevcontainerMetadata[]
  readonly warnings: readonly string[]
}

function parseMetadata(label: string | undefined): ParsedMetadata {
  if (label === undefined || label.trim() === '') return { entries: [], warnings: [] }
  let parsed: unknown
  try {
    parsed = JSON.parse(label)
  } catch {
    return { entries: [], warnings: [`the image's label ${metadataLabel} is no JSON and is left out`] }
  }
  const results = (Array.isArray(parsed) ? parsed : [parsed]).map((entry: unknown) => readEntry(entry))
  return { entries: results.map(({ entry }) => entry), warnings: results.flatMap(({ warnings }) => warnings) }
}

type Guard = (value: unknown) => boolean

const isText: Guard = (value) => typeof value === 'string'
const isFlag: Guard = (value) => typeof value === 'boolean'
const isTexts: Guard = (value) => Array.isArray(value) && value.every(isText)
const isCommand: Guard = (value) =>
  isText(value) ||
  isTexts(value) ||
  (isRecord(value) && Object.values(value).every((entry) => isText(entry) || isTexts(entry)))
const isMount: Guard = (value) => isText(value) || (isRecord(value) && isText(value['target']))

/** The keys an image may set, each with the form it must have. */
const metadataKeys: Readonly<Record<keyof DevcontainerMetadata, Guard>> = {
  containerUser: isText,
  remoteUser: isText,
  updateRemoteUserUID: isFlag,
  containerEnv: (value) => isRecord(value) && Object.values(value).every(isText),
  remoteEnv: (value) =>
    isRecord(value) && Object.values(value).every((entry) => entry === null || isText(entry)),
  mounts: (value) => Array.isArray(value) && value.every(isMount),
  init: isFlag,
  privileged: isFlag,
  capAdd: isTexts,
  securityOpt: isTexts,
  overrideCommand: isFlag,
  forwardPorts: (value) =>
    Array.isArray(value) && value.every((port) => isText(port) || Number.isInteger(port)),
  hostRequirements: isRequirements,
  onCreateCommand: isCommand,
  updateContentCommand: isCommand,
  postCreateCommand: isCommand,
  postStartCommand: isCommand,
  postAttachCommand: isCommand,
  waitFor: (value) =>
    isText(value) &&
    /^(?:initialize|onCreate|updateContent|postCreate|postStart)Command$/.test(String(value)),
  userEnvProbe: (value) => /^(?:none|loginShell|interactiveShell|loginInteractiveShell)$/.test(String(value)),
  shutdownAction: (value) => /^(?:none|stopContainer|stopCompose)$/.test(String(value)),
  entrypoint: isText,
}

function isRequirements(value: unknown): boolean {
  if (!isRecord(value)) return false
  const { cpus, memory, storage } = value
  return (
    (cpus === undefined || typeof cpus === 'number') &&
    [memory, storage].every((size) => size === undefined || isSize(size))
  )
}

function isSize(value: unknown): boolean {
  if (typeof value !== 'string') return false
  try {
    return parseSize(value) > 0
  } catch {
    return false
  }
}

function readEntry(value: unknown): { entry: DevcontainerMetadata; warnings: string[] } {
  if (!isRecord(value))
    return {
      entry: {},
      warnings: [`an entry of the image's label ${metadataLabel} is no map and is left out`],
    }
  const known = Object.entries(value).filter(([key]) => Object.hasOwn(metadataKeys, key))
  const fits = ([key, entry]: [string, unknown]) => metadataKeys[key as keyof DevcontainerMetadata](entry)
  return {
    entry: Object.fromEntries(known.filter(fits)) as DevcontainerMetadata,
    warnings: known
      .filter((pair) => !fits(pair))
      .map(([key]) => `${key} of the image's label ${metadataLabel} has the wrong form and is left out`),
  }
}
