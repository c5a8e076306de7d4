import { omitUndefined } from './omit-undefined.ts'
import { basename, dirname } from 'node:path'
import { findBlueprint, limaSandboxName } from './find-blueprint.ts'
import { nameSource } from './blueprint-context.ts'
import { slugify } from './environment-name.ts'
import { toCommand } from './parse-commands.ts'
import type { Blueprint } from '../../blueprint.ts'
import type { BlueprintContext } from './blueprint-context.ts'
import type { FoundBlueprint } from './find-blueprint.ts'
import type { LoadedBlueprint } from './loaded-blueprint.ts'

/**
 * Finds, reads, validates and merges a blueprint. `reference` is a file, a folder, a name, or absent for the blueprint of the
 * current folder. Writes nothing but the cache of git parents.
 */
export async function loadBlueprint(
  reference: string | undefined,
  context: BlueprintContext,
): Promise<LoadedBlueprint> {
  const found = await findBlueprint(reference, context)
  if (isDevcontainer(found)) {
    const { loadDevcontainer } = await import('./devcontainer/load-devcontainer.ts')
    return loadDevcontainer(found, context)
  }
  if (basename(found.source.path) === limaSandboxName) {
    const { loadLimaSandbox } = await import('./lima-sandbox.ts')
    return loadLimaSandbox(found, context)
  }
  const { loadNative } = await import('./extends.ts')
  const { source, project } = found
  const blueprint = await loadNative(source, context)
  return withCompose(
    {
      source: nameSource(source),
      format: 'native',
      project,
      directory: source.kind === 'file' ? dirname(source.path) : project,
      warnings: [],
      defaultName: slugify(defaultNameOf(found)),
    },
    blueprint,
    context,
  )
}

/** The blueprint with the services of the Compose file that it names. */
async function withCompose(
  loaded: LoadedBlueprint,
  blueprint: Blueprint,
  { env }: Pick<BlueprintContext, 'env'>,
): Promise<LoadedBlueprint> {
  const { compose } = blueprint
  if (compose === undefined) return fillBlueprint(loaded, blueprint)
  const { loadCompose } = await import('./compose/load-compose.ts')
  const { services, warnings } = await loadCompose({ compose, directory: loaded.directory, env })
  const all = [...loaded.warnings, ...warnings]
  return fillBlueprint({ ...loaded, compose: services, warnings: all }, blueprint)
}

/**
 * The same loaded blueprint with another content, as the hook `resolveBlueprint` returns it. What a plugin made is checked as
 * a file is: HOLM_BLUEPRINT_INVALID.
 */
export async function withBlueprint(loaded: LoadedBlueprint, blueprint: unknown): Promise<LoadedBlueprint> {
  const { assertBlueprint } = await import('./validate-native.ts')
  return fillBlueprint(loaded, await assertBlueprint(blueprint, `${loaded.source} (as plugins changed it)`))
}

/** What the host asks of a blueprint before it is translated. Pure. */
export function fillBlueprint(loaded: LoadedBlueprint, blueprint: Blueprint): LoadedBlueprint {
  const { source, format, project, directory, warnings, compose } = loaded
  const { base, provider, check } = blueprint
  return {
    source,
    format,
    project,
    directory,
    warnings,
    blueprint,
    defaultName: blueprint.name === undefined ? loaded.defaultName : slugify(blueprint.name),
    ...omitUndefined({
      compose,
      preferredProvider: provider,
      base,
      check: check === undefined ? check : toCommand(check),
    }),
  }
}

function isDevcontainer({ source }: FoundBlueprint): boolean {
  return source.kind === 'file' && /^\.?devcontainer\.json$/.test(basename(source.path))
}

/** A built-in or a named file gives its own name, a project's blueprint the name of the folder. */
function defaultNameOf({ source, project }: FoundBlueprint): string {
  if (source.kind === 'builtin') return source.name
  const file = basename(source.path)
  return /^holm\.\w+$/.test(file) ? basename(project) : file.replace(/\.\w+$/, '')
}
