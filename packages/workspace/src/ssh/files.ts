import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { withInclude } from './config.ts'

/** Writes by renaming, readable by its owner alone: neither ssh nor a second holm ever reads half of it. */
export function writePrivate(path: string, text: string, mode = 0o600): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, text, { mode })
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
  const named = join(home, '.ssh', 'config')
  // Many keep it elsewhere and link to it: the link stays.
  const path = existsSync(named) ? realpathSync(named) : named
  const before = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const after = withInclude(before, config)
  if (after === before) return { path, changed: false, backup: undefined }
  const backup = before === '' ? undefined : `${path}.before-holm`
  if (backup !== undefined) copyFileSync(path, backup)
  writePrivate(path, after, existsSync(path) ? statSync(path).mode & 0o777 : undefined)
  return { path, changed: true, backup }
}
