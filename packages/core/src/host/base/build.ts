import { mkdtemp, readFile, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { HolmError, abortError, isHolmError } from '../../errors.ts'
import { assertPackageNames } from '../provision/packages.ts'
import { createLineStream } from '../provision/output.ts'
import { catalogue } from './catalogue.ts'
import { createFolder } from '../config/folders.ts'
import { hashFile } from './checksum.ts'
import { debootstrapArgv, mmdebstrapArgv, parseAptSources, resolveSources, tarArgv } from './recipe.ts'
import { findCatalogueEntry } from './reference.ts'
import { assertRootfsTar } from './rootfs.ts'
import type { BaseRecipe } from './catalogue.ts'
import type { BuildRequest, MachineSources } from './recipe.ts'
import type { ProgressUpdate } from '../../provider.ts'
import type { Runner } from '../../process.ts'

export interface BuildOptions {
  /** `<cache>/bases`. */
  readonly cache: string
  readonly runner: Runner
  readonly include?: readonly string[]
  readonly mirror?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (update: ProgressUpdate) => void
}

/** Builds a catalogue base from packages into the cache under `target`'s name; returns the tarball. Abort leaves nothing. */
export async function buildBase(name: string, target: string, options: BuildOptions): Promise<string> {
  const recipe = requireRecipe(name)
  const include = options.include ?? []
  assertPackageNames(include)
  createFolder(options.cache)
  const folder = await mkdtemp(join(options.cache, '.build-'))
  try {
    const sources = resolveSources(recipe, options.mirror, await readMachineSources())
    const output = join(folder, 'rootfs.tar')
    await runBuild({ recipe, include, sources, output }, folder, options)
    await assertRootfsTar(output, options.runner, options.signal)
    const sha256 = await hashFile(output, options.signal)
    const path = join(options.cache, `${encodeURIComponent(target)}-${sha256.slice(0, 12)}.tar`)
    await rename(output, path)
    return path
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function requireRecipe(name: string): BaseRecipe {
  const entry = findCatalogueEntry(name)
  if (entry?.recipe) return entry.recipe
  const names = catalogue.filter((each) => each.recipe).map((each) => each.name)
  throw new HolmError('HOLM_BASE_NOT_FOUND', `base ${name} has no build recipe`, {
    hint: `Build one of ${names.join(', ')}; get others with holm base import or holm base add.`,
    details: { name, recipes: names },
  })
}

async function runBuild(request: BuildRequest, folder: string, options: BuildOptions): Promise<void> {
  try {
    return await runTool(mmdebstrapArgv(request), options)
  } catch (error) {
    if (!isHolmError(error, 'HOLM_TOOL_MISSING')) throw error
  }
  const root = join(folder, 'root')
  try {
    await runTool(debootstrapArgv(request, root), options)
  } catch (error) {
    if (!isHolmError(error, 'HOLM_TOOL_MISSING')) throw error
    throw new HolmError('HOLM_TOOL_MISSING', 'neither mmdebstrap nor debootstrap is on PATH', {
      hint: 'Install one: apt-get install mmdebstrap.',
      cause: error,
    })
  }
  await runTool(tarArgv(root, request.output), options)
}

/** Runs to the end with its lines as progress. */
async function runTool(argv: readonly string[], { runner, signal, onProgress }: BuildOptions): Promise<void> {
  const tail: string[] = []
  const lines = createLineStream({
    output: (_stream, text) => {
      tail.push(text)
      onProgress?.({ message: text })
    },
  })
  const child = await runner.spawn(argv, signal ? { signal } : {})
  child.stdout.setEncoding('utf8').on('data', (text: string) => lines.push('stdout', text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => lines.push('stderr', text))
  const { code } = await child.exited
  lines.flush()
  if (signal?.aborted) throw abortError(signal)
  if (code === 0) return
  const said = tail.slice(-20).join('\n')
  if (/no space left on device/i.test(said)) {
    throw new HolmError('HOLM_DISK_FULL', `no space left while ${argv[0]} built the base\n${said}`, {
      hint: 'Free space in the cache folder and the temporary folder, then build again.',
    })
  }
  throw new HolmError('HOLM_COMMAND_FAILED', `${argv[0]} ended with code ${code}\n${said}`, {
    hint: 'Check the package mirror (--mirror) and the network; as a normal user, user namespaces must be permitted.',
    details: { argv, code },
  })
}

/** Where this machine gets its packages; undefined where there is no apt. */
async function readMachineSources(): Promise<MachineSources | undefined> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '')
  const field = (name: string): string =>
    (new RegExp(`^${name}=(.*)$`, 'm').exec(release)?.[1] ?? '').replace(/^"(.*)"$/, '$1')
  const folder = '/etc/apt/sources.list.d'
  const names = (await readdir(folder).catch(() => [])).filter((name) => /\.(?:list|sources)$/.test(name))
  const paths = ['/etc/apt/sources.list', ...names.toSorted().map((name) => join(folder, name))]
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => '')))
  const sources = texts.flatMap(parseAptSources)
  return { distribution: field('ID'), codename: field('VERSION_CODENAME'), sources }
}
