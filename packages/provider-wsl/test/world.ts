import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { spawnSync } from 'node:child_process'
import type { Base, PluginManifest, Provider, ProviderContext } from '@holm/core'
import { createRunner } from '@holm/core/host'
import { startServer } from '../../../scripts/testing/stand-in-server.ts'
import { createWslProvider, type WslOptions } from '../src/index.ts'

export const manifest = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { holm: PluginManifest }
).holm

/** Makes the log contain a line: programs reach the main process through its pipe. */
export const logCommand = (line: string): readonly string[] => [
  'sh',
  '-c',
  'printf "%s\\n" "$1" >/run/holm/log',
  'sh',
  line,
]

/** Windows as the stand-in has it: a folder with a drive C, and what the service of WSL knows. */
export interface World {
  readonly root: string
  readonly env: Readonly<Record<string, string>>
  readonly options: WslOptions
  readonly provider: Provider
  readonly context: Pick<ProviderContext, 'runner'>
  /** A tarball on drive C, as a base. */
  base(): Extract<Base, { kind: 'rootfs' }>
  /** Runs the stand-in. */
  wsl(
    argv: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): { code: number; bytes: Buffer; text: string }
  dispose(): Promise<void>
}

/** Why the stand-in cannot run here. */
export function whyNot(): string | undefined {
  if (process.platform !== 'linux') return 'the stand-in for wsl.exe needs Linux'
  if (process.getuid?.() !== 0) return 'the stand-in for wsl.exe needs root, for lxc'
  const missing = ['lxc-execute', 'lxc-attach', 'lxc-stop', 'lxc-info'].find(
    (name) => spawnSync(name, ['--version']).status !== 0,
  )
  if (missing !== undefined) return `the stand-in for wsl.exe needs lxc: ${missing} is missing`
  const file = process.env['HOLM_TEST_ROOTFS']
  if (file === undefined) return 'HOLM_TEST_ROOTFS names no tarball of a root filesystem'
  return existsSync(file) ? undefined : `HOLM_TEST_ROOTFS: ${file} does not exist`
}

const standIn = path.join(import.meta.dirname, 'stand-in')
let digest: string | undefined

export interface WorldOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly layers?: string
  readonly namespace?: string
}

const worldPrefix = 'holm-wsl-world-'

/** Worlds of tests that were killed: their distributions end by themselves, their mounts and folders do not. */
async function sweepDead(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((each) => each.startsWith(worldPrefix))) {
    const root = path.join(tmpdir(), name)
    const owner = await readFile(path.join(root, 'owner'), 'utf8').catch(() => undefined)
    if (owner === undefined || existsSync(`/proc/${owner}`)) continue
    const running = readdirSync(root).includes('run') && readdirSync(path.join(root, 'run')).length > 0
    if (!running) await removeWorld(root)
  }
}

async function removeWorld(root: string): Promise<void> {
  spawnSync('umount', ['-R', '-l', path.join(root, 'mnt/wsl')])
  await rm(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
}

export async function createWorld(given: WorldOptions = {}): Promise<World> {
  await sweepDead()
  const root = await mkdtemp(path.join(tmpdir(), worldPrefix))
  writeFileSync(path.join(root, 'owner'), String(process.pid))
  // lxc enters it as the container's root.
  chmodSync(root, 0o755)
  const system = path.join(root, 'mnt/c/Windows/System32')
  mkdirSync(system, { recursive: true })
  for (const name of ['wsl.exe', 'netsh.exe', 'cmd.exe'])
    symlinkSync(path.join(standIn, name), path.join(system, name))
  shareTmpfs(path.join(root, 'mnt/wsl'))
  const env = {
    ...definedOnly(process.env),
    HOLM_STANDIN: root,
    HOLM_STANDIN_NODE: process.execPath,
    HOLM_STANDIN_OWNER: String(process.pid),
    HOLM_STANDIN_LAYERS: given.layers ?? path.join(root, 'layers'),
    WSL_DISTRO_NAME: 'Here',
    ...given.env,
  }
  const endServer = startServer(path.join(standIn, 'server.ts'), {
    ...env,
    NODE_COMPILE_CACHE: path.join(env.HOLM_STANDIN_LAYERS, 'compiled'),
  })
  const options: WslOptions = {
    platform: 'linux',
    namespace: given.namespace ?? 'test',
    env,
    wsl: path.join(system, 'wsl.exe'),
    drives: path.join(root, 'mnt'),
    shared: path.join(root, 'mnt/wsl'),
  }
  const wsl: World['wsl'] = (argv, more = {}) => {
    const result = spawnSync(path.join(system, 'wsl.exe'), argv, { env: { ...env, ...more } })
    const wide = result.stdout.includes(0)
    return {
      code: result.status ?? 1,
      bytes: result.stdout,
      text: result.stdout.toString(wide ? 'utf16le' : 'utf8'),
    }
  }
  return {
    root,
    env,
    options,
    provider: createWslProvider(options),
    context: { runner: createRunner({ env }) },
    base: () => baseOnDrive(root),
    wsl,
    dispose: async () => {
      wsl(['--shutdown'])
      endServer()
      await removeWorld(root)
    },
  }
}

/** What all distributions share: mounts that one makes in it appear in all. */
function shareTmpfs(folder: string): void {
  mkdirSync(folder, { recursive: true })
  for (const argv of [
    ['-t', 'tmpfs', 'tmpfs', folder],
    ['--make-private', folder],
    ['--make-shared', folder],
  ])
    spawnSync('mount', argv)
}

function baseOnDrive(root: string): Extract<Base, { kind: 'rootfs' }> {
  const from = process.env['HOLM_TEST_ROOTFS'] ?? ''
  const file = path.join(root, 'mnt/c/rootfs.tar')
  if (!existsSync(file)) {
    try {
      linkSync(from, file)
    } catch {
      copyFileSync(from, file)
    }
  }
  digest ??= createHash('sha256').update(readFileSync(from)).digest('hex')
  return { kind: 'rootfs', name: 'rootfs.tar', path: file, sha256: digest }
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}
