import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeFolder } from '../config/make-folder.ts'
import { sha256 } from '../digest.ts'
import type { BlueprintLayer } from './validate-native.ts'

/** Set by the build (scripts/tsup-preset.ts): a hash of the sources, so that another build never reads what this one wrote. */
declare const HOLM_BUILD: string | undefined

interface Entry {
  readonly build: string
  readonly text: string
  readonly layer: BlueprintLayer
}

export interface CachedText {
  /** Name of the source, as in messages: one entry is kept for each. */
  readonly source: string
  readonly text: string
  /** Cache folder of holm. */
  readonly folder: string
}

/**
 * The layer that this very text was found to be by this very build, or what `parse` makes of it. Loading a parser and the
 * schema costs more than all else that `holm up` does before it asks the runtime. Only what was valid is kept; a cache
 * that cannot be read or written is no cache.
 */
export async function withLayerCache(
  cached: CachedText,
  parse: () => Promise<BlueprintLayer>,
): Promise<BlueprintLayer> {
  const build = typeof HOLM_BUILD === 'undefined' ? undefined : HOLM_BUILD
  if (build === undefined) return parse()
  const key = sha256(cached.source).slice(0, 32)
  const path = join(cached.folder, 'blueprints', `${key}.json`)
  const known = readEntry(path)
  if (known !== undefined && known.build === build && known.text === cached.text) return known.layer
  const layer = await parse()
  writeEntry(path, { build, text: cached.text, layer })
  return layer
}

function readEntry(path: string): Entry | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Entry
  } catch {
    return undefined
  }
}

/** Readable by its owner alone, as the blueprint may be; a rename, so that no other holm reads half of it. */
function writeEntry(path: string, entry: Entry): void {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  try {
    makeFolder(dirname(path))
  } catch {
    return
  }
  try {
    writeFileSync(draft, JSON.stringify(entry), { mode: 0o600 })
    renameSync(draft, path)
  } catch {
    rmSync(draft, { force: true })
  }
}
