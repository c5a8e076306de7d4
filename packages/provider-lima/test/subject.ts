import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import type { Base, PluginManifest, Provider, ProviderContext } from '@holm/core'
import { createRunner } from '@holm/core/host'
import { askingScript, startServer } from '../../../scripts/testing/stand-in-server.ts'
import { createProvider } from '../src/index.ts'

export const manifest = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { holm: PluginManifest }
).holm

/** Of the kit: the console is what a machine's log is. */
export const logCommand = (line: string): readonly string[] => [
  'sh',
  '-c',
  'printf "%s\\n" "$1" >/dev/console',
  'sh',
  line,
]

export interface TestSubject {
  readonly provider: Provider
  readonly context: Pick<ProviderContext, 'runner'>
  /** LIMA_HOME. */
  readonly home: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Another provider over the same instances, as a second holm process has it. */
  again(namespace?: string): Provider
  dispose(): Promise<void>
}

const standIn = (file: string): string => fileURLToPath(new URL(`stand-in/${file}`, import.meta.url))
/** Of what it runs: compiled once, for all that are started. */
const compiled = fileURLToPath(new URL('../../../node_modules/.cache/holm-stand-ins', import.meta.url))

export interface SubjectOptions {
  readonly version?: string
  /** Folder of unpacked images, for all that have it. */
  readonly images?: string
}

/** A provider over the stand-in, with a LIMA_HOME of its own. */
export async function createSubject({
  version = '2.1.4',
  images,
}: SubjectOptions = {}): Promise<TestSubject> {
  const top = mkdtempSync(path.join(tmpdir(), 'holm-lima-'))
  const bin = path.join(top, 'bin')
  const home = path.join(top, 'home')
  await mkdir(bin)
  await mkdir(home)
  const script = `${askingScript(`'${top}'`)}exec '${process.execPath}' '${standIn('main.mjs')}' "$@"\n`
  await writeFile(path.join(bin, 'limactl'), script, { mode: 0o755 })
  await writeFile(path.join(bin, 'qemu-img'), '#!/bin/sh\necho "stand-in"\n', { mode: 0o755 })
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    LIMA_HOME: home,
    NODE_COMPILE_CACHE: compiled,
    HOLM_STAND_IN_VERSION: version,
    ...(images !== undefined && { HOLM_STAND_IN_CACHE: images }),
    HOLM_STAND_IN_TEMPLATES: path.join(top, 'templates'),
  }
  const endServer = startServer(standIn('server.mjs'), env)
  const again = (namespace = 'test'): Provider => createProvider({ namespace, env, platform: 'linux' })
  return {
    provider: again(),
    context: { runner: createRunner({ env }) },
    home,
    env,
    again,
    dispose: async () => {
      endServer()
      await rm(top, { recursive: true, force: true })
    },
  }
}

/** The tarball that HOLM_TEST_ROOTFS names: the stand-in's "disk image". */
export async function loadImage(): Promise<Base> {
  const file = process.env['HOLM_TEST_ROOTFS']
  if (file === undefined || !existsSync(file)) return imageOf('/nonexistent', '0'.repeat(64))
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return imageOf(file, hash.digest('hex'))
}

function imageOf(file: string, sha256: string): Base {
  return { kind: 'disk', name: path.basename(file), path: file, format: 'raw', sha256 }
}

/** Undefined, or why the stand-in cannot run anything here. */
export function whyNoStandIn(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'the stand-in for limactl needs Linux and root'
  const file = process.env['HOLM_TEST_ROOTFS']
  if (file === undefined) return 'HOLM_TEST_ROOTFS names no tarball of a root filesystem'
  if (!existsSync(file)) return `HOLM_TEST_ROOTFS: ${file} does not exist`
  const missing = ['lxc-start', 'nsenter', 'ip'].filter(
    (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0,
  )
  return missing.length > 0
    ? `the stand-in for limactl needs ${missing.join(', ')} (Debian: lxc, iproute2)`
    : undefined
}
