import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  cpSync,
  fchmodSync,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  rmdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { HolmError, assertNotAborted, isHolmError } from '@holm/core'
import type { Entry, Step } from './compare.ts'
import { workFolder } from './rules.ts'
import { entryAt, statAt } from './scan.ts'

export interface ApplyInput {
  /** Folder that is changed, as its real path. */
  readonly root: string
  /** The contents that files get, by the same paths. */
  readonly source: string
  /** Where copies of what nobody agreed to give up are put. */
  readonly kept: string
  /** Whether what was replaced or removed is needed no more: somebody has it, or had agreed to it. */
  readonly mayGo: (step: Step, entry: Entry | undefined) => boolean
  /** What was to be removed and may not go stays where it is. */
  readonly restores?: boolean
  readonly signal?: AbortSignal | undefined
}

export interface Applied {
  readonly done: readonly Step[]
  /** Paths that changed meanwhile, or have something in the way: left as they are. */
  readonly disturbed: readonly string[]
  /** Paths below `kept`. */
  readonly kept: readonly string[]
}

/**
 * Changes a folder of this machine step by step. What is replaced is put aside first and looked at again: unless it is what the
 * step was decided on, it is kept. A file is written under another name and renamed; at no moment is there half of one.
 */
export async function applySteps(steps: readonly Step[], input: ApplyInput): Promise<Applied> {
  if (steps.length === 0) return { done: [], disturbed: [], kept: [] }
  const ends = new Map<Step, End>()
  const work = openWork(input.root)
  let left: string[] = []
  try {
    for (const [index, step] of steps.entries()) {
      if (index % breath === 0) await setImmediate()
      if (input.signal) assertNotAborted(input.signal)
      ends.set(step, applyStep(step, { ...input, work }))
    }
  } catch (error) {
    throw explain(error)
  } finally {
    left = rescueLeftovers(input.root, input.kept)
  }
  return {
    done: steps.filter((step) => ends.get(step) !== 'disturbed'),
    disturbed: steps.flatMap((step) => (ends.get(step) === 'disturbed' ? [step.path] : [])),
    kept: [...steps.flatMap((step) => (ends.get(step) === 'kept' ? [step.path] : [])), ...left],
  }
}

/** So many steps go by before a Ctrl-C is heard. */
const breath = 100

function explain(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (isHolmError(error) || code === undefined) return error
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new HolmError('HOLM_DISK_FULL', `the files do not fit on this machine: ${message}`, {
      hint: 'Make room and synchronise again; what was there before is still there.',
      cause: error,
    })
  }
  return new HolmError('HOLM_COMMAND_FAILED', `a file could not be written: ${message}`, {
    hint: 'See to it that you may write there, and synchronise again.',
    cause: error,
  })
}

/** Copies that an interrupted run put aside and did not look at again go to `kept`; returns their paths. */
export function rescueLeftovers(root: string, kept: string): string[] {
  const work = join(root, workFolder)
  if (statAt(work)?.isDirectory() !== true) return []
  const aside = join(work, 'old')
  const paths = listFiles(aside)
  for (const path of paths) moveOver(join(aside, path), join(kept, path))
  rmSync(work, { recursive: true, force: true })
  return paths
}

/** Files and links below a folder, followed nowhere. */
export function listFiles(folder: string, below = ''): string[] {
  if (statAt(folder)?.isDirectory() !== true) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(below, entry.name)
    return entry.isDirectory() ? listFiles(join(folder, entry.name), path) : [path]
  })
}

function openWork(root: string): string {
  const work = join(root, workFolder)
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { mode: 0o700 })
  // git does not see it.
  writeFileSync(join(work, '.gitignore'), '*\n')
  return work
}

type End = 'done' | 'disturbed' | 'kept'
type Working = ApplyInput & { readonly work: string }

function applyStep(step: Step, input: Working): End {
  assertPlain(step.path)
  if (!isConfined(input.root, step.path) || isEscape(step)) return 'disturbed'
  return step.from?.kind === 'folder' ? replaceFolder(step, input) : replaceOther(step, input)
}

function isEscape({ path, to }: Step): boolean {
  return to?.kind === 'link' && isOutside(path, to.target)
}

function replaceFolder(step: Step, input: Working): End {
  const end = removeFolder(join(input.root, step.path))
  return step.to === undefined || end === 'disturbed' ? end : replace({ ...step, from: undefined }, input)
}

function replaceOther(step: Step, input: Working): End {
  const { from, to } = step
  const full = join(input.root, step.path)
  if (to?.kind === 'folder' && from === undefined) return makeFolder(full)
  const isSame = to?.kind === 'file' && from?.kind === 'file' && to.hash === from.hash
  return isSame ? setMode(full, to.mode) : replace(step, input)
}

function replace(step: Step, input: Working): End {
  const { path, from, to } = step
  const full = join(input.root, path)
  const draft = to?.kind === 'file' ? writeDraft(path, to.mode, input) : undefined
  const aside = from === undefined ? undefined : putAside(path, input)
  const placed = to?.kind === 'folder' ? makeFolder(full) === 'done' : place(draft, full, to)
  if (aside === undefined) return placed ? 'done' : 'disturbed'
  return settleAside(aside, { step, placed, input, full })
}

/** rsync has looked at the names, and so does holm. */
function assertPlain(path: string): void {
  const segments = path.split('/')
  const isPlain = segments.every((each) => each !== '' && each !== '.' && each !== '..')
  if (isPlain && !segments.some((each) => each.toLowerCase() === '.git')) return
  throw new HolmError('HOLM_BUG', `${JSON.stringify(path)} is no path to write to`)
}

/** The folder that it is in is really one, in `root`; made where it is missing. */
function isConfined(root: string, path: string): boolean {
  const parent = dirname(path)
  if (parent === '.') return true
  const full = join(root, parent)
  if (statAt(full) === undefined) {
    if (!isConfined(root, parent)) return false
    makeFolder(full)
  }
  return statAt(full)?.isDirectory() === true && realpathSync(full) === full
}

/** Absolute, or higher than the root: whoever follows it on this machine is somewhere else. */
export function isOutside(path: string, target: string): boolean {
  if (target.startsWith('/') || target === '') return true
  const reached = posix.normalize(posix.join(posix.dirname(path), target))
  return reached === '..' || reached.startsWith('../')
}

function makeFolder(full: string): End {
  try {
    mkdirSync(full)
    return 'done'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return lstatSync(full).isDirectory() ? 'done' : 'disturbed'
  }
}

/** Only an empty one: what else is in it is not synchronised, or came meanwhile. */
function removeFolder(full: string): End {
  try {
    rmdirSync(full)
    return 'done'
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return 'done'
    if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR') return 'disturbed'
    throw error
  }
}

function writeDraft(path: string, mode: number, { source, work }: Working): string {
  const draft = join(work, 'new')
  rmSync(draft, { force: true })
  const from = join(source, path)
  copyFileSync(from, draft, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  chmodSync(draft, mode)
  const { atime, mtime } = lstatSync(from)
  utimesSync(draft, atime, mtime)
  return draft
}

/** Takes away whatever is there now, in one moment; undefined when nothing is. */
function putAside(path: string, { root, work }: Working): string | undefined {
  const aside = join(work, 'old', path)
  mkdirSync(dirname(aside), { recursive: true })
  try {
    renameSync(join(root, path), aside)
    return aside
  } catch (error) {
    if (!isGone(error)) throw error
    return undefined
  }
}

/** Or the folder that it was in. */
function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
}

/** False when something came to its place meanwhile: it is never overwritten. */
function place(draft: string | undefined, full: string, to: Entry | undefined): boolean {
  try {
    if (to?.kind === 'link') symlinkSync(to.target, full)
    if (draft !== undefined) linkSync(draft, full)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' || isGone(error)) return false
    // A disk without hard links.
    if (!['EPERM', 'ENOTSUP'].includes(code)) throw error
    if (draft === undefined || statAt(full)) return false
    renameSync(draft, full)
  }
  return true
}

function settleAside(
  aside: string,
  { step, placed, input, full }: { step: Step; placed: boolean; input: ApplyInput; full: string },
): End {
  if (input.mayGo(step, entryAt(aside))) {
    rmSync(aside, { recursive: true, force: true })
    return placed ? 'done' : 'disturbed'
  }
  const isFree = statAt(full) === undefined
  if (step.to === undefined && input.restores === true && isFree) {
    renameSync(aside, full)
    return 'disturbed'
  }
  moveOver(aside, join(input.kept, step.path))
  return 'kept'
}

/** Of a file that is opened first, so that a link is not followed. */
function setMode(full: string, mode: number): End {
  try {
    const file = openSync(full, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      if (!fstatSync(file).isFile()) return 'disturbed'
      fchmodSync(file, mode)
    } finally {
      closeSync(file)
    }
    return 'done'
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO'].includes((error as NodeJS.ErrnoException).code ?? '')) return 'disturbed'
    throw error
  }
}

/** A rename, or a copy where that is another disk. */
export function moveOver(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 })
  try {
    renameSync(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    const entry = entryAt(from)
    if (entry?.kind === 'link') symlinkSync(entry.target, to)
    else cpSync(from, to, { recursive: true, verbatimSymlinks: true, errorOnExist: true, force: false })
    rmSync(from, { recursive: true, force: true })
  }
}
