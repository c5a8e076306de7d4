import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rename } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import type { Architecture } from './argv.ts'
import { removeTree } from './files-on-disk.ts'
import type { KernelSource } from './kernel.ts'
import { withLock } from './lock.ts'

interface FetchOptions {
  readonly architecture: Architecture
  readonly cache: string
  readonly env: Readonly<Record<string, string>>
}

const debianName: Readonly<Record<Architecture, string>> = { x86_64: 'amd64', aarch64: 'arm64' }

/** The newest kernel that apt knows of, fetched and unpacked once. Nothing is installed. */
export async function fetchKernelPackage(options: FetchOptions, ctx: ProviderContext): Promise<KernelSource> {
  const folder = path.join(options.cache, 'kernel-package')
  const found = await loadSource(folder)
  if (found) return found
  await mkdir(options.cache, { recursive: true, mode: 0o700 })
  return withLock(options.cache, { name: 'the kernel package', waitMs: 300_000 }, async () => {
    const made = await loadSource(folder)
    if (made) return made
    ctx.progress({ message: 'fetching a kernel from the package source of this machine' })
    const draft = path.join(options.cache, `.kernel-${randomBytes(4).toString('hex')}`)
    await mkdir(draft)
    try {
      await fetchInto(draft, options, ctx)
      await rename(path.join(draft, 'unpacked'), folder)
    } finally {
      await removeTree(draft)
    }
    return (await loadSource(folder)) ?? missing('the package holds no kernel')
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
        return missing(error instanceof Error ? error.message : String(error))
      })
    if (result.code === 0) return result.stdout
    return missing(`${argv.join(' ')}: ${result.stderr.trim().split('\n').at(-1) ?? ''}`)
  }
  const meta = `linux-image-${debianName[options.architecture]}`
  const name =
    parseDepends(await run(['apt-cache', 'depends', meta])) ?? missing(`apt knows no package ${meta}`)
  await run(['apt-get', 'download', name])
  const file = (await readdir(draft)).find((each) => each.endsWith('.deb')) ?? missing('apt fetched nothing')
  await run(['dpkg-deb', '--extract', path.join(draft, file), path.join(draft, 'unpacked')])
}

/** The package with the kernel itself, in the output of `apt-cache depends`. */
export function parseDepends(text: string): string | undefined {
  return /Depends: (linux-image-\S*\d\S*)/.exec(text)?.[1]
}

function missing(why: string): never {
  throw new HolmError('HOLM_TOOL_MISSING', `no kernel to boot: /boot has none that can be used, and ${why}`, {
    hint: 'Install one (apt-get install linux-image-amd64), or name its files with providers.qemu.kernel and providers.qemu.modules.',
  })
}
