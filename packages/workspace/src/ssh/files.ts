import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { withInclude } from './config.ts'

/** Writes by renaming, readable by its owner alone: neither ssh nor a second holm ever reads half of it. */
export function writePrivate(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, text, { mode: 0o600 })
  renameSync(draft, path)
}

export interface Included {
  /** The user's configuration of ssh. */
  readonly path: string
  readonly changed: boolean
  /** What it was before, when it was changed and there was one. */
  readonly backup: string | undefined
}

/** Puts the line that includes `config` into the user's configuration, or takes it out; what was there is kept beside it. */
export function includeConfig(home: string, config: string | undefined): Included {
  const path = join(home, '.ssh', 'config')
  const before = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const after = withInclude(before, config)
  if (after === before) return { path, changed: false, backup: undefined }
  const backup = before === '' ? undefined : `${path}.before-holm`
  if (backup !== undefined) copyFileSync(path, backup)
  writePrivate(path, after)
  return { path, changed: true, backup }
}
