import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, readdir, realpath, rename, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import type { Architecture } from './argv.ts'
import { createCpio, cpioKinds, foldersAbove, type CpioEntry } from './cpio.ts'
import { removeTree } from './files-on-disk.ts'
import { fetchKernelPackage } from './kernel-package.ts'
import {
  hasPvhEntry,
  moduleName,
  orderModules,
  parseBzImage,
  parseModuleNeeds,
  unpackArgv,
} from './kernel-image.ts'
import { withLock } from './lock.ts'
import { pipeThrough } from './pipe-through.ts'
import type { QemuOptions } from './record.ts'

/** A kernel as it lies on this machine, with the folder of its modules. */
export interface KernelSource {
  readonly image: string
  readonly modules: string
}

/** A kernel that is ready to be started. */
export interface Kernel {
  readonly image: string
  readonly initramfs: string
  /** In the order in which they are loaded. */
  readonly modules: readonly string[]
}

/** What every machine needs: its disk, its network, its log, its shared folders. */
const wantedModules = [
  'virtio_pci',
  'virtio_blk',
  'virtio_net',
  'virtio_console',
  'crc32c_generic',
  'ext4',
  '9p',
  '9pnet_virtio',
]

/** What an init system and disks that others made need besides. */
const moreModules = [
  'vfat',
  'nls_ascii',
  'nls_cp437',
  'nls_utf8',
  'isofs',
  'xfs',
  'btrfs',
  'overlay',
  'autofs4',
]

/**
 * What a Docker engine inside needs: layers, networks, and the rules it writes, by either kind of iptables. The files of the
 * environment hold no modules of this kernel, so what is not loaded here is never there.
 */
const dockerModules = [
  'overlay',
  'bridge',
  'br_netfilter',
  'veth',
  'macvlan',
  'nf_conntrack_netlink',
  'iptable_nat',
  'iptable_filter',
  'ip6table_nat',
  'ip6table_filter',
  'ipt_REJECT',
  'nf_tables',
  'nft_compat',
  'nft_chain_nat',
  'nft_masq',
  'nft_nat',
  'nft_ct',
  'nft_fib_inet',
  'xt_addrtype',
  'xt_comment',
  'xt_conntrack',
  'xt_mark',
  'xt_multiport',
  'xt_nat',
  'xt_tcpudp',
  'xt_MASQUERADE',
]

export interface KernelOptions {
  /** For a base with an init system of its own. */
  readonly whole: boolean
  /** A Docker engine runs inside. */
  readonly nestedDocker: boolean
  readonly architecture: Architecture
  /** Of this machine: only that has its own kernel and perl. */
  readonly native: Architecture
  readonly cache: string
  /** Variables of the tools of this machine. */
  readonly env: Readonly<Record<string, string>>
  readonly options: QemuOptions
}

/** The kernel to boot with: the one that is named, this machine's own, or one fetched from Debian once. */
export async function prepareKernel(options: KernelOptions, ctx: ProviderContext): Promise<Kernel> {
  const wanted = [
    ...new Set([
      ...wantedModules,
      ...(options.whole ? moreModules : []),
      ...(options.nestedDocker ? dockerModules : []),
    ]),
  ]
  const source = await findKernel(options, ctx)
  const perl = isForeign(options) ? await findForeignPerl(options, ctx) : await findPerl(options, ctx)
  const agent = await readFile(fileURLToPath(new URL('../guest/init.pl', import.meta.url)))
  const { mtimeMs, size } = await stat(source.image)
  const key = createHash('sha256')
    .update(JSON.stringify([source, mtimeMs, size, perl.map((each) => each.path), wanted, 3]))
    .update(agent)
    .digest('hex')
    .slice(0, 24)
  const folder = path.join(options.cache, 'kernels')
  const target = path.join(folder, key)
  const ready = await loadKernel(target)
  if (ready) return ready
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return withLock(folder, { name: 'the kernel', waitMs: 120_000 }, async () => {
    const made = await loadKernel(target)
    if (made) return made
    ctx.progress({ message: 'preparing the kernel' })
    const draft = path.join(folder, `.draft-${randomBytes(4).toString('hex')}`)
    await mkdir(draft)
    try {
      await writeKernel(draft, { source, perl, agent, wanted }, ctx)
      await rename(draft, target)
    } finally {
      await removeTree(draft)
    }
    return (await loadKernel(target)) as Kernel
  })
}

async function loadKernel(folder: string): Promise<Kernel | undefined> {
  const text = await readFile(path.join(folder, 'modules.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  return {
    image: path.join(folder, 'vmlinux'),
    initramfs: path.join(folder, 'initramfs'),
    modules: JSON.parse(text) as string[],
  }
}

interface Parts {
  readonly source: KernelSource
  readonly perl: readonly PerlFile[]
  readonly agent: Buffer
  readonly wanted: readonly string[]
}

async function writeKernel(
  folder: string,
  { source, perl, agent, wanted }: Parts,
  ctx: ProviderContext,
): Promise<void> {
  await writeFile(path.join(folder, 'vmlinux'), await unpackKernel(await readFile(source.image), ctx))
  const modules = await loadModules(source.modules, wanted, ctx)
  const files: CpioEntry[] = [
    { path: 'init', mode: cpioKinds.file | 0o755, data: agent },
    { path: 'dev/console', mode: cpioKinds.character | 0o600, device: [5, 1] },
    { path: 'proc/.keep', mode: cpioKinds.file | 0o644 },
    { path: 'sys/.keep', mode: cpioKinds.file | 0o644 },
    ...perl.map((file) => ({ path: file.target, mode: cpioKinds.file | 0o755, data: file.data })),
    ...modules.map(({ name, data }) => ({
      path: `holm/modules/${name}`,
      mode: cpioKinds.file | 0o644,
      data,
    })),
  ]
  const folders = new Set(files.flatMap((file) => foldersAbove(file.path)))
  const all = [...[...folders].map((each) => ({ path: each, mode: cpioKinds.folder | 0o755 })), ...files]
  await writeFile(path.join(folder, 'initramfs'), createCpio(all))
  await writeFile(path.join(folder, 'modules.json'), JSON.stringify(modules.map(({ name }) => name)))
}

/** An unpacked kernel starts seconds sooner where the processor is emulated. What cannot be unpacked starts as it is. */
async function unpackKernel(image: Buffer, ctx: ProviderContext): Promise<Buffer> {
  const parsed = parseBzImage(image)
  if (parsed === undefined) return image
  const argv = unpackArgv(parsed.packing)
  try {
    const plain =
      parsed.packing === 'gzip'
        ? gunzipSync(parsed.payload)
        : argv === undefined
          ? parsed.payload
          : await pipeThrough(argv, parsed.payload, ctx)
    if (hasPvhEntry(plain)) return plain
  } catch (error) {
    ctx.log.info(`the kernel is started packed: ${error instanceof Error ? error.message : String(error)}`)
  }
  return image
}

async function loadModules(
  folder: string,
  wanted: readonly string[],
  ctx: ProviderContext,
): Promise<readonly { readonly name: string; readonly data: Buffer }[]> {
  const files = new Map<string, string>()
  for (const entry of await readdir(path.join(folder, 'kernel'), { recursive: true, withFileTypes: true })) {
    if (/\.ko(?:\.(?:xz|gz|zst))?$/.test(entry.name))
      files.set(moduleName(entry.name), path.join(entry.parentPath, entry.name))
  }
  const data = new Map<string, Buffer>()
  const load = async (name: string): Promise<void> => {
    const file = files.get(name)
    if (file === undefined || data.has(name)) return
    const module = await unpackModule(file, ctx)
    data.set(name, module)
    for (const each of parseModuleNeeds(module)) await load(each)
  }
  for (const name of wanted) await load(name)
  const needs = (name: string): readonly string[] | undefined => {
    const module = data.get(name)
    return module && parseModuleNeeds(module)
  }
  return orderModules(wanted, needs).map((name) => ({ name, data: data.get(name) as Buffer }))
}

async function unpackModule(file: string, ctx: ProviderContext): Promise<Buffer> {
  const data = await readFile(file)
  if (file.endsWith('.xz')) return pipeThrough(['xz', '-dc'], data, ctx)
  if (file.endsWith('.zst')) return pipeThrough(['zstd', '-dc'], data, ctx)
  return file.endsWith('.gz') ? gunzipSync(data) : data
}

async function findKernel(options: KernelOptions, ctx: ProviderContext): Promise<KernelSource> {
  const { kernel, modules } = options.options
  if (kernel !== undefined) return namedKernel(kernel, modules)
  const own = isForeign(options) ? undefined : await ownKernel()
  return own ?? (await fetchKernelPackage(options, ctx)).kernel
}

function isForeign({ architecture, native }: KernelOptions): boolean {
  return architecture !== native
}

function namedKernel(image: string, modules?: string): KernelSource {
  const release = /vmlinu[xz]-(.+)$/.exec(path.basename(image))?.[1]
  const folder = modules ?? (release === undefined ? undefined : `/lib/modules/${release}`)
  if (folder !== undefined && existsSync(image) && existsSync(path.join(folder, 'kernel')))
    return { image, modules: folder }
  throw new HolmError(
    'HOLM_BLUEPRINT_INVALID',
    existsSync(image)
      ? `the modules of kernel ${image} are not there: ${folder ?? 'no folder is named'}`
      : `there is no kernel ${image}`,
    { hint: 'Set providers.qemu.kernel and providers.qemu.modules to files of one kernel.' },
  )
}

/** The newest kernel of this machine that may be read and has modules for shared folders and virtual devices. */
async function ownKernel(): Promise<KernelSource | undefined> {
  const names = await readdir('/boot').catch(() => [])
  const images = names
    .filter((name) => name.startsWith('vmlinuz-'))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
  for (const name of images) {
    const modules = `/lib/modules/${name.slice('vmlinuz-'.length)}`
    const image = path.join('/boot', name)
    const readable = await readFile(image).then(
      () => true,
      () => false,
    )
    if (readable && existsSync(path.join(modules, 'kernel/fs/9p'))) return { image, modules }
  }
  return undefined
}

interface PerlFile {
  readonly path: string
  /** Where it lies in the initramfs. */
  readonly target: string
  readonly data: Buffer
}

/** This machine's perl and the libraries it is linked with: the agent inside needs nothing of the environment's own files. */
async function findPerl({ env }: KernelOptions, { runner, signal }: ProviderContext): Promise<PerlFile[]> {
  const found = await runner.run(['sh', '-c', 'command -v perl'], { env, signal })
  const program = found.stdout.trim()
  if (found.code !== 0 || program === '')
    throw new HolmError(
      'HOLM_TOOL_MISSING',
      'perl is not on PATH: machines carry a copy of it for their first program',
      {
        hint: 'Install perl (apt-get install perl-base).',
      },
    )
  const { stdout } = await runner.run(['ldd', program], { env, signal, timeoutMs: 10_000 })
  const libraries = parseLdd(stdout)
  const all = [
    { path: program, target: 'holm/perl' },
    ...libraries.map((file) => ({ path: file, target: file.slice(1) })),
  ]
  return Promise.all(all.map(async (each) => ({ ...each, data: await readFile(await realpath(each.path)) })))
}

/** The perl of another processor, from the distribution's packages, with all of the C library that it may ask for. */
async function findForeignPerl(options: KernelOptions, ctx: ProviderContext): Promise<PerlFile[]> {
  const { folder } = await fetchKernelPackage(options, ctx)
  const triplet = `${options.architecture}-linux-gnu`
  const names = ['ld-linux-aarch64.so.1', 'ld-linux-x86-64.so.2', 'libc.so.6', 'libcrypt.so.1', 'libm.so.6']
  const places = ['lib', 'lib64', `lib/${triplet}`, `usr/lib/${triplet}`].flatMap((place) =>
    names.map((name) => `${place}/${name}`),
  )
  const found = [
    { path: path.join(folder, 'usr/bin/perl'), target: 'holm/perl' },
    ...places.map((place) => ({ path: path.join(folder, place), target: place })),
  ].filter((each) => existsSync(each.path))
  return Promise.all(
    found.map(async (each) => ({ ...each, data: await readFile(await realpath(each.path)) })),
  )
}

/** Paths in the output of ldd; the loader has no arrow. */
export function parseLdd(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const file = /=> (\/\S+)/.exec(line)?.[1] ?? /^\s*(\/\S+) \(/.exec(line)?.[1]
    return file === undefined ? [] : [file]
  })
}
