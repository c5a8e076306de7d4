import { omitUndefined } from './omit-undefined.ts'
import { basename, dirname } from 'node:path'
import { HolmError, isHolmError } from '../../errors.ts'
import { anchorPaths } from './anchor-paths.ts'
import { builtinPath } from './builtins.ts'
import { fileOf, nameSource, readSource } from './blueprint-context.ts'
import { findNamed, isBareName, kindOf, listNames } from './find-blueprint.ts'
import { fetchGitSource, isGitReference, parseGitReference, siblingInGit } from './git-source.ts'
import { homeOf, resolveHostPath } from './parse-mounts.ts'
import { mergeLayers } from './merge-layers.ts'
import { nearNames } from '../did-you-mean.ts'
import { parseDocument } from './parse-document.ts'
import { withLayerCache } from './layer-cache.ts'
import { assertBlueprintLayer, withoutNulls } from './validate-native.ts'
import type { Blueprint } from '../../blueprint.ts'
import type { BlueprintContext, BlueprintSource } from './blueprint-context.ts'
import type { BlueprintLayer } from './validate-native.ts'

const mostLayers = 50

interface Walk {
  readonly context: BlueprintContext
  /** Sources that are already in `layers`: a blueprint that two parents share counts once. */
  readonly done: Set<string>
  readonly layers: BlueprintLayer[]
}

/**
 * Reads a native blueprint with everything it extends and merges it, parents first. Throws HOLM_BLUEPRINT_CYCLE with the
 * path a -> b -> a, HOLM_BLUEPRINT_PARENT_MISSING with who asked, or what reading and validation throw.
 */
export async function loadNative(source: BlueprintSource, context: BlueprintContext): Promise<Blueprint> {
  const walk: Walk = { context, done: new Set(), layers: [] }
  await collect(source, [], walk)
  const merged = walk.layers.reduce((parent, child) => mergeLayers(parent, child), {})
  const { extends: _parents, ...blueprint } = withoutNulls(merged, []) as Blueprint
  return blueprint
}

async function collect(source: BlueprintSource, chain: readonly string[], walk: Walk): Promise<void> {
  const name = nameSource(source)
  if (chain.includes(name)) throw cycle([...chain.slice(chain.indexOf(name)), name])
  if (walk.done.has(name)) return
  if (chain.length >= mostLayers) throw cycle(chain)
  const layer = await readLayer(source, walk.context)
  const parents = layer['extends'] ?? []
  for (const reference of typeof parents === 'string' ? [parents] : (parents as readonly string[])) {
    await collect(await findParent(reference, source, walk.context), [...chain, name], walk)
  }
  walk.done.add(name)
  walk.layers.push(anchorPaths(layer, source))
}

async function readLayer(source: BlueprintSource, { paths }: BlueprintContext): Promise<BlueprintLayer> {
  const name = nameSource(source)
  const text = await readSource(source)
  return withLayerCache({ source: name, text, folder: paths.cache }, async () => {
    const document = await parseDocument(text, name)
    return assertBlueprintLayer(document.value, name, document)
  })
}

function cycle(path: readonly string[]): HolmError {
  const shown = shortNames(path)
  return new HolmError('HOLM_BLUEPRINT_CYCLE', `blueprints extend each other: ${shown.join(' -> ')}`, {
    hint: `Remove one \`extends\` of ${shown.slice(0, -1).join(', ')}.`,
    details: { path },
  })
}

/** File names alone where they are enough to tell the blueprints apart. */
function shortNames(path: readonly string[]): readonly string[] {
  const short = path.map((name) => basename(name))
  return new Set(short).size === new Set(path).size ? short : path
}

async function findParent(
  reference: string,
  child: BlueprintSource,
  context: BlueprintContext,
): Promise<BlueprintSource> {
  try {
    const found = await resolveParent(reference, child, context)
    if (found !== undefined) return found
  } catch (error) {
    if (!isHolmError(error, 'HOLM_BLUEPRINT_PARENT_MISSING')) throw error
    throw missing(reference, child, { reason: error.message, cause: error })
  }
  const near = isBareName(reference) ? nearNames(reference, await listNames(context)) : []
  throw missing(reference, child, {
    reason: near.length === 0 ? 'it does not exist' : `near names: ${near.join(', ')}`,
  })
}

async function resolveParent(
  reference: string,
  child: BlueprintSource,
  context: BlueprintContext,
): Promise<BlueprintSource | undefined> {
  if (isGitReference(reference)) return fetchGitSource(parseGitReference(reference), context)
  if (isBareName(reference)) return findNamedParent(reference, child, context)
  if (child.kind === 'git') return fetchGitSource(siblingInGit(reference, child), context)
  const path = resolveHostPath(reference, { directory: dirname(fileOf(child)), home: homeOf(context.env) })
  if ((await kindOf(path)) !== 'file') return undefined
  assertNative(path, child)
  return { kind: 'file', path }
}

/** A user's own `python-dev` may extend the built-in of the same name. */
async function findNamedParent(
  name: string,
  child: BlueprintSource,
  context: BlueprintContext,
): Promise<BlueprintSource | undefined> {
  const found = await findNamed(name, context)
  if (found?.kind !== 'file' || child.kind !== 'file' || found.path !== child.path) return found
  const path = builtinPath(name)
  return (await kindOf(path)) === 'file' ? { kind: 'builtin', name, path } : found
}

function assertNative(path: string, child: BlueprintSource): void {
  if (!/^\.?devcontainer\.json$/.test(basename(path))) return
  throw new HolmError(
    'HOLM_BLUEPRINT_UNSUPPORTED',
    `${nameSource(child)} extends ${path}: a devcontainer.json cannot be a parent`,
    {
      hint: 'Extend a native blueprint.',
      details: { child: nameSource(child), parent: path },
    },
  )
}

function missing(
  reference: string,
  child: BlueprintSource,
  why: { reason: string; cause?: unknown },
): HolmError {
  const message = `${nameSource(child)} extends ${JSON.stringify(reference)}: ${why.reason}`
  return new HolmError('HOLM_BLUEPRINT_PARENT_MISSING', message, {
    hint: `Correct \`extends\` of ${nameSource(child)}.`,
    ...omitUndefined({ cause: why.cause }),
    details: { child: nameSource(child), parent: reference },
  })
}
