import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { lastLines, runCommand } from '../command.ts'
import { root } from '../root.ts'
import { hasCommand, isRoot } from './machine.ts'

const suite = 'bookworm'
const included = [
  'ca-certificates',
  'git',
  'openssh-client',
  'procps',
  'python3-minimal',
  'python3',
  'redis-server',
]
const unwanted = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*']

/** What is large and asked for by nothing that a blueprint's check runs: the compilers of compilers, a database's own compiler. */
const large = [
  '/usr/bin/*-lto-dump-*',
  '/usr/lib/*/libLLVM-*',
  '/usr/lib/*/libz3.*',
  '/usr/lib/gcc/*/*/lto1',
  '/usr/lib/go-*/pkg/*/cmd/*',
  '/usr/lib/postgresql/*/lib/bitcode/*',
  '/usr/lib/postgresql/*/lib/llvmjit*',
  '/usr/share/go-*/src/cmd/*',
  '/usr/share/go-*/test/*',
  '/usr/share/i18n/*',
]

/** What the built-in blueprints of the tests install, so that they come up without a package mirror as well. */
const provisioned = [
  ...included,
  'build-essential',
  'curl',
  'golang',
  'nodejs',
  'npm',
  'postgresql',
  'python3-pip',
  'python3-venv',
]

/** The same with what python-dev, node-dev, go-dev, debian-stable and postgres-dev ask for: a base that was provisioned before. */
export function prepareProvisionedRootfs(): Promise<string | undefined> {
  return prepare(provisioned, [...unwanted, ...large])
}

/**
 * The root filesystem that runtime tests use as an image: made once from Debian's packages and kept under .cache/, so
 * that no test pulls from an image registry.
 */
export function prepareRootfs(): Promise<string | undefined> {
  return prepare(included, unwanted)
}

/** The smallest root filesystem for aarch64: nothing of it has to run to make it. */
export async function prepareForeignRootfs(): Promise<string | undefined> {
  const path = join(root, '.cache', `rootfs-${suite}-aarch64-busybox.tar`)
  if (existsSync(path)) return path
  if (!hasCommand('mmdebstrap') || !isRoot()) return undefined
  const link = 'for each in sh cat echo hostname sleep uname; do ln -sf busybox "$1/bin/$each"; done'
  return makeRootfs(path, {
    variant: 'extract',
    packages: ['busybox-static'],
    more: ['--architectures=arm64', `--extract-hook=${link}`],
  })
}

async function prepare(
  packages: readonly string[],
  excluded: readonly string[],
): Promise<string | undefined> {
  const path = rootfsPath(packages, excluded)
  if (existsSync(path)) return path
  if (!hasCommand('mmdebstrap') || !isRoot()) {
    console.log('rootfs: not made, it needs root and mmdebstrap; tests that need an image are skipped')
    return undefined
  }
  console.log(`rootfs: making Debian ${suite} with ${packages.join(' ')} (half a minute or more) ...`)
  return makeRootfs(path, { packages, excluded })
}

function rootfsPath(packages: readonly string[], excluded: readonly string[]): string {
  const key = createHash('sha256')
    .update(JSON.stringify([packages, excluded]))
    .digest('hex')
    .slice(0, 12)
  return join(root, '.cache', `rootfs-${suite}-${process.arch}-${key}.tar`)
}

async function makeRootfs(
  path: string,
  contents: Omit<Bootstrap, 'format' | 'target'>,
): Promise<string | undefined> {
  const partial = `${path}.${process.pid}`
  mkdirSync(join(root, '.cache'), { recursive: true })
  const since = performance.now()
  const argv = bootstrap({ ...contents, format: 'tar', target: partial })
  const { code, output } = await runCommand(argv, { timeoutMs: 10 * 60_000 })
  if (code !== 0) {
    rmSync(partial, { force: true })
    console.log(
      `rootfs: no package mirror answered, or mmdebstrap failed; tests that need an image are skipped`,
    )
    console.log(lastLines(output, 15))
    return undefined
  }
  renameSync(partial, path)
  console.log(`rootfs: made in ${((performance.now() - since) / 1000).toFixed(1)} s`)
  return path
}

export interface Bootstrap {
  readonly packages: readonly string[]
  /** Paths of packages that are left out, as patterns. */
  readonly excluded?: readonly string[]
  /** `extract` only unpacks what is named. */
  readonly variant?: 'minbase' | 'extract'
  readonly more?: readonly string[]
  readonly format: 'tar' | 'directory'
  readonly target: string
}

/** The command line that makes a Debian of some packages, as a tarball or a folder. */
export function bootstrap(options: Bootstrap): string[] {
  const { packages, excluded = unwanted, variant = 'minbase', more = [], format, target } = options
  return [
    'mmdebstrap',
    `--variant=${variant}`,
    `--format=${format}`,
    `--include=${packages.join(',')}`,
    ...excluded.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    '--aptopt=Acquire::Languages "none"',
    ...more,
    suite,
    target,
    ...hostSources(),
  ]
}

/** A Debian of the same suite knows a mirror that works from here; elsewhere mmdebstrap asks Debian's own. */
function hostSources(): string[] {
  const files = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list']
  const usable = files.find(
    (file) => existsSync(file) && new RegExp(`\\b${suite}\\b`).test(readFileSync(file, 'utf8')),
  )
  return usable === undefined ? [] : [usable]
}
