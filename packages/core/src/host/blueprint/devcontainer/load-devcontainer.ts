import { omitUndefined } from '../omit-undefined.ts'
import { availableParallelism, totalmem } from 'node:os'
import { basename, dirname, resolve } from 'node:path'
import { HolmError, isHolmError } from '../../../errors.ts'
import { createVariables, devcontainerToSpec } from './devcontainer-to-spec.ts'
import { describeIssues, issuesError } from '../schema-issues.ts'
import { devcontainerKeys } from './devcontainer-config.ts'
import { didYouMean } from '../../did-you-mean.ts'
import { isRecord } from '../plain-value.ts'
import { nameSource, readSource } from '../blueprint-context.ts'
import { parseDocument } from '../parse-document.ts'
import { slugify } from '../environment-name.ts'
import { substitute } from './variables.ts'
import { unmetRequirements } from './host-requirements.ts'
import type { BlueprintBase } from '../../../blueprint.ts'
import type { BlueprintContext, MachineSize } from '../blueprint-context.ts'
import type { DevcontainerConfig } from './devcontainer-config.ts'
import type { DocumentPath } from '../plain-value.ts'
import type { FoundBlueprint } from '../find-blueprint.ts'
import type { LoadedBlueprint } from '../loaded-blueprint.ts'
import type { ParsedDocument } from '../parse-document.ts'

type LoadContext = Pick<BlueprintContext, 'env' | 'machine'>

interface DevcontainerFile {
  readonly source: string
  readonly project: string
  readonly document: ParsedDocument
}

/**
 * Reads and checks a devcontainer.json. Everything that would be refused later is refused here, with its line: a file that
 * asks for what holm cannot do (features, Compose, unknown runArgs) is never half applied.
 */
export async function loadDevcontainer(
  found: FoundBlueprint,
  context: LoadContext,
): Promise<LoadedBlueprint> {
  const place = { source: nameSource(found.source), project: found.project }
  return loadFromText(await readSource(found.source), place, context)
}

/** The same for a text that was read already. */
export async function loadFromText(
  text: string,
  { source, project }: { readonly source: string; readonly project: string },
  { env, machine = sizeOfMachine() }: LoadContext,
): Promise<LoadedBlueprint> {
  const file: DevcontainerFile = { source, project, document: await parseDocument(text, source, 'json') }
  const { config, warnings } = await assertDevcontainer(file)
  return placed(file, () => {
    const loaded = createLoaded(file, { config, warnings, env })
    const { requirements = {} } = devcontainerToSpec(loaded, config, {
      base: { kind: 'host' },
      env,
      name: 'check',
    })
    return { ...loaded, warnings: [...warnings, ...unmetRequirements(requirements, machine)] }
  })
}

function sizeOfMachine(): MachineSize {
  return { cpus: availableParallelism(), memoryBytes: totalmem() }
}

/** The shape of a devcontainer.json. Throws HOLM_BLUEPRINT_UNSUPPORTED or HOLM_BLUEPRINT_INVALID with all issues. */
async function assertDevcontainer(
  file: DevcontainerFile,
): Promise<{ config: DevcontainerConfig; warnings: string[] }> {
  const { source, document } = file
  const { value } = document
  if (!isRecord(value))
    throw issuesError([{ path: [], message: 'a devcontainer.json is a map of keys' }], source, document)
  assertSupported(value, file)
  const { devcontainerSchema } = await import('./devcontainer-schema.ts')
  const result = devcontainerSchema.safeParse(value)
  if (!result.success) {
    const issues = describeIssues(result.error.issues, { value, keysUnder: () => [] })
    throw issuesError(issues, source, document)
  }
  const unknown = Object.keys(value).filter((key) => !devcontainerKeys.includes(key))
  const warnings = unknown.map((key) => {
    const line = document.locate([key], 'key')?.line
    return `${basename(source)}:${line}: the key ${JSON.stringify(key)} is not known and is left out${didYouMean(key, devcontainerKeys)}`
  })
  return { config: result.data, warnings }
}

function assertSupported(value: Readonly<Record<string, unknown>>, file: DevcontainerFile): void {
  const { features, dockerComposeFile, build } = value
  if (isRecord(features) && Object.keys(features).length > 0) {
    throw unsupported(
      file,
      ['features'],
      `uses features (${Object.keys(features).join(', ')}), which holm cannot install yet`,
    )
  }
  if (dockerComposeFile !== undefined) {
    throw unsupported(file, ['dockerComposeFile'], 'uses Docker Compose, which holm cannot run yet')
  }
  const options = isRecord(build) ? build['options'] : undefined
  if (Array.isArray(options) && options.length > 0) {
    throw unsupported(
      file,
      ['build', 'options'],
      `gives options to the build (${options.join(' ')}), which holm cannot pass on`,
    )
  }
}

function unsupported({ source, document }: DevcontainerFile, path: DocumentPath, what: string): HolmError {
  const position = document.locate(path, 'key')
  const where = position === undefined ? source : `${source}:${position.line}:${position.column}`
  return new HolmError(
    'HOLM_BLUEPRINT_UNSUPPORTED',
    `${where}: ${path.join('.')}: the dev container ${what}`,
    {
      hint: `Remove ${path.join('.')}, or write a holm.yaml beside it: \`holm init\`.`,
      details: { source, path, ...position },
    },
  )
}

function createLoaded(
  { source, project }: DevcontainerFile,
  parts: { config: DevcontainerConfig; warnings: readonly string[]; env: BlueprintContext['env'] },
): LoadedBlueprint {
  const { config, warnings, env } = parts
  const variables = createVariables({ source, project }, config, env)
  return {
    source,
    format: 'devcontainer',
    project,
    directory: dirname(source),
    devcontainer: config,
    warnings,
    defaultName: slugify(basename(project)),
    base: toBase(substitute(config, variables), source),
  }
}

/** Paths of a build are relative to the folder of the devcontainer.json. */
function toBase(config: DevcontainerConfig, source: string): BlueprintBase {
  const { build = {}, image } = config
  const dockerfile = build.dockerfile ?? config.dockerFile
  const directory = dirname(source)
  if (dockerfile !== undefined) {
    return {
      dockerfile: resolve(directory, dockerfile),
      context: resolve(directory, build.context ?? config.context ?? '.'),
      ...omitUndefined({ args: build.args, target: build.target }),
    }
  }
  if (image !== undefined) return { image }
  throw new HolmError(
    'HOLM_BLUEPRINT_INVALID',
    'the dev container names neither image nor build.dockerfile',
    {
      hint: 'Add "image" or "build".',
      details: { path: [] },
    },
  )
}

/** Adds file, line and column to an error that names a path. */
function placed<Value>({ source, document }: DevcontainerFile, work: () => Value): Value {
  try {
    return work()
  } catch (error) {
    const path = isHolmError(error) ? error.details?.['path'] : undefined
    if (!isHolmError(error) || !Array.isArray(path)) throw error
    const position = document.locate(path as DocumentPath)
    const where = position === undefined ? source : `${source}:${position.line}:${position.column}`
    throw new HolmError(error.code, `${where}: ${error.message}`, {
      ...omitUndefined({ hint: error.hint }),
      cause: error,
      details: { ...error.details, source, ...position },
    })
  }
}
