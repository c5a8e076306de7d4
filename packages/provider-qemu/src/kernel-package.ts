import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import type { Architecture } from './argv.ts'
import { removeTree } from './files-on-disk.ts'
import type { KernelSource } from './kernel.ts'
import { withLock } from './lock.ts'

interface FetchOptions {
  readonly architecture: Architecture
  readonly native: Architecture
  readonly cache: string
  readonly env: Readonly<Record<string, string>>
}

export interface KernelPackage {
  readonly kernel: KernelSource
  /** Where it is unpacked; for another processor with the perl for it. */
  readonly folder: string
}

const debianName: Readonly<Record<Architecture, string>> = { x86_64: 'amd64', aarch64: 'arm64' }

/** What the first program in a machine needs, where this machine's own does not run on its processor. */
const foreignPackages = ['perl-base', 'libc6', 'libcrypt1']

/** The newest kernel that apt knows of, fetched and unpacked once. Nothing is installed. */
export async function fetchKernelPackage(
  options: FetchOptions,
  ctx: ProviderContext,
): Promise<KernelPackage> {
  const isForeign = options.architecture !== options.native
  const folder = path.join(options.cache, `kernel-package${isForeign ? `-${options.architecture}` : ''}`)
  const found = await loadSource(folder)
  if (found) return { kernel: found, folder }
  await mkdir(options.cache, { recursive: true, mode: 0o700 })
  return withLock(options.cache, { name: 'the kernel package', waitMs: 300_000 }, async () => {
    const made = await loadSource(folder)
    if (made) return { kernel: made, folder }
    ctx.progress({ message: 'fetching a kernel from the package source of this machine' })
    const draft = path.join(options.cache, `.kernel-${randomBytes(4).toString('hex')}`)
    await mkdir(draft)
    try {
      await fetchInto(draft, options, ctx)
      await rename(path.join(draft, 'unpacked'), folder)
    } finally {
      await removeTree(draft)
    }
    const kernel = (await loadSource(folder)) ?? missing('the package holds no kernel', options)
    return { kernel, folder }
  })
}

async function loadSource(folder: string): Promise<KernelSource | undefined> {
  const names = await readdir(path.join(folder, 'boot')).catch(() => [])
  const image = names.find((name) => name.startsWith('vmlinuz-'))
  if (image === undefined) return undefined
  const release = image.slice('vmlinuz-'.length)
  const library = await readdir(path.join(folder, 'usr/lib/modules')).then(
    () => 'usr/lib',
    () => 'lib',
  )
  return { image: path.join(folder, 'boot', image), modules: path.join(folder, library, 'modules', release) }
}

async function fetchInto(draft: string, options: FetchOptions, ctx: ProviderContext): Promise<void> {
  const run = async (argv: readonly string[]): Promise<string> => {
    const result = await ctx.runner
      .run(argv, { cwd: draft, env: options.env, signal: ctx.signal, timeoutMs: 300_000 })
      .catch((error: unknown) => {
        if (ctx.signal.aborted) throw error
        return missing(error instanceof Error ? error.message : String(error), options)
      })
    if (result.code === 0) return result.stdout
    return missing(`${argv.join(' ')}: ${result.stderr.trim().split('\n').at(-1) ?? ''}`, options)
  }
  const isForeign = options.architecture !== options.native
  const words = isForeign ? await prepareApt(draft, options) : []
  if (isForeign) await run(['apt-get', ...words, 'update'])
  const meta = `linux-image-${debianName[options.architecture]}`
  const name =
    parseDepends(await run(['apt-cache', ...words, 'depends', meta])) ??
    missing(`apt knows no package ${meta}`, options)
  await run(['apt-get', ...words, 'download', name, ...(isForeign ? foreignPackages : [])])
  const files = (await readdir(draft)).filter((each) => each.endsWith('.deb'))
  if (files.length === 0) missing('apt fetched nothing', options)
  for (const file of files)
    await run(['dpkg-deb', '--extract', path.join(draft, file), path.join(draft, 'unpacked')])
}

/** An apt beside this machine's own, with its sources and keys, that knows the packages of another processor. */
async function prepareApt(draft: string, { architecture }: FetchOptions): Promise<string[]> {
  const state = path.join(draft, 'apt')
  for (const folder of ['lists/partial', 'cache/archives/partial'])
    await mkdir(path.join(state, folder), { recursive: true })
  await writeFile(path.join(state, 'status'), '')
  const name = debianName[architecture]
  const settings = {
    'APT::Architecture': name,
    'APT::Architectures::': name,
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
    'Dir::State::lists': path.join(state, 'lists'),
    'Dir::State::status': path.join(state, 'status'),
    'Dir::Cache': path.join(state, 'cache'),
  }
  return Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`])
}

/** The package with the kernel itself, in the output of `apt-cache depends`. */
export function parseDepends(text: string): string | undefined {
  return /Depends: (linux-image-\S*\d\S*)/.exec(text)?.[1]
}

function missing(why: string, { architecture, native }: FetchOptions): never {
  const own = architecture === native ? '/boot has none that can be used, and ' : ''
  throw new HolmError('HOLM_TOOL_MISSING', `no kernel to boot for ${architecture}: ${own}${why}`, {
    hint: `Install one (apt-get install linux-image-${debianName[architecture]}), or name its files with providers.qemu.kernel and providers.qemu.modules.`,
  })
}
