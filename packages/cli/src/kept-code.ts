import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import { makeFolder } from '@holm/core/host'

/** Runs scripts, and keeps what V8 made of them from one run to the next (docs/adr/0021). */
export interface ScriptLoader {
  /**
   * What the script exports. Throws what it throws, and what the file system says when it is missing.
   *
   * @param modules what it gets for `require` of these names
   */
  load(path: string, modules?: Readonly<Record<string, unknown>>): unknown
  /**
   * Keeps the compiled code of the scripts for which this run did more than the run theirs came from. Nothing is thrown: a cache that
   * cannot be written is none.
   *
   * @param work how much this run did, in any unit that grows with it
   */
  keep(work: number): void
}

export interface ScriptLoaderOptions {
  /** Where compiled code is kept; undefined where nothing may be. */
  readonly folder: string | undefined
  /** What the run is for: code is kept for each purpose by itself. */
  readonly purpose: string
}

/** What a script may ask for in place of `import.meta`. */
interface Meta {
  readonly url: string
  readonly dirname: string
  readonly resolve: (specifier: string) => string
}

/** `__load` stands for `import()`, which is an experiment of Node's in scripts, and warns (scripts/script-bundle.ts builds them so). */
type Factory = (given: {
  readonly exports: unknown
  readonly require: (name: string) => unknown
  readonly module: { exports: unknown }
  readonly __load: (specifier: string) => Promise<unknown>
  readonly __meta: Meta
}) => void

interface Kept {
  readonly work: number
  readonly code: Buffer
}

export function createScriptLoader({ folder, purpose }: ScriptLoaderOptions): ScriptLoader {
  const keepers: ((work: number) => void)[] = []

  return {
    load(path, modules = {}) {
      // Bytes of ASCII, as esbuild writes them: decoding them as anything else costs a millisecond.
      const source = readFileSync(path, 'latin1')
      const file = folder === undefined ? undefined : join(folder, buildOf(path), `${purpose}.code`)
      const kept = file === undefined ? undefined : readKept(file)
      const script = new Script(source, { filename: path, ...(kept && { cachedData: kept.code }) })
      const before = kept && script.cachedDataRejected === false ? kept.work : -1
      keepers.push((work) => {
        if (file !== undefined && work > before) writeKept(file, { work, code: script.createCachedData() })
      })
      return run(script.runInThisContext() as Factory, path, modules)
    },
    keep: (work) => keepers.forEach((keep) => keep(work)),
  }
}

function run(factory: Factory, path: string, modules: Readonly<Record<string, unknown>>): unknown {
  const module: { exports: unknown } = { exports: {} }
  const require = createRequire(path)
  const url = pathToFileURL(path).href
  factory({
    exports: module.exports,
    require: (name) => (name in modules ? modules[name] : require(name)),
    module,
    __load: (specifier) => import(specifier.startsWith('.') ? new URL(specifier, url).href : specifier),
    __meta: { url, dirname: dirname(path), resolve: (specifier) => import.meta.resolve(specifier) },
  })
  return module.exports
}

/**
 * A folder that belongs to this user, and that nobody else can write to: who can put code there runs it as this user.
 * Undefined when it is not, or cannot be made.
 */
export function claimFolder(path: string): string | undefined {
  try {
    makeFolder(path)
    const { uid, mode } = lstatSync(path)
    const isOwn = process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0)
    return isOwn ? path : undefined
  } catch {
    return undefined
  }
}

/** V8 compares the length of a source, and no more: what else tells two builds apart is in the name. */
function buildOf(path: string): string {
  const { size, mtimeMs, ino } = statSync(path)
  const parts = [size, Math.floor(mtimeMs), ino].map((part) => part.toString(36))
  return [process.version, process.arch, ...parts].join('-')
}

const magic = 0x68_6f_6c_6d
/** V8 uses its data in place when it begins at a multiple of eight. */
const headerLength = 16

function readKept(file: string): Kept | undefined {
  try {
    const data = readFileSync(file)
    const isWhole = data.readUInt32LE(0) === magic && data.readUInt32LE(8) === data.length - headerLength
    return isWhole ? { work: data.readUInt32LE(4), code: data.subarray(headerLength) } : undefined
  } catch {
    return undefined
  }
}

/** On the disk before it gets its name: V8 believes its data, and half of it would be the end of every later run. */
function writeKept(file: string, { work, code }: Kept): void {
  const header = Buffer.alloc(headerLength)
  header.writeUInt32LE(magic, 0)
  header.writeUInt32LE(work, 4)
  header.writeUInt32LE(code.length, 8)
  const draft = `${file}.${process.pid}`
  try {
    if (claimFolder(dirname(file)) === undefined) return
    // Only one may write it: in another container with the same home there can be a process of the same number.
    const descriptor = openSync(draft, 'wx', 0o600)
    try {
      writeFileSync(descriptor, Buffer.concat([header, code]))
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(draft, file)
    removeOld(dirname(dirname(file)))
  } catch {
    rmSync(draft, { force: true })
  }
}

const month = 30 * 24 * 60 * 60 * 1000

/** Of builds to which nothing was added for a month; what is still in use is kept anew. */
function removeOld(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (Date.now() - statSync(path).mtimeMs > month) rmSync(path, { recursive: true, force: true })
  }
}
