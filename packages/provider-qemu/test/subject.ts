import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { arch, tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Base, PluginManifest, Provider, ProviderContext } from '@holm/core'
import { createRunner } from '@holm/core/host'
import { createTestContext } from '@holm/testkit'
import { createQemuProvider } from '../src/index.ts'

export const runner = createRunner({ env: process.env })

export const manifest = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { holm: PluginManifest }
).holm

export const context = (): ProviderContext => createTestContext({ runner })

export interface TestSubject {
  readonly provider: Provider
  readonly context: Pick<ProviderContext, 'runner'>
  /** Folder of everything; its name has a space and quotes. */
  readonly folder: string
  readonly data: string
  dispose(): Promise<void>
}

/** Kernels are kept between runs of the tests: the first fetches one. */
export const cache = fileURLToPath(new URL('../../../.cache/qemu', import.meta.url))

export function providerOver(data: string, kernels = cache): Provider {
  return createQemuProvider({
    paths: { data, cache: kernels },
    namespace: 'test',
    env: process.env,
    uid: process.getuid?.() ?? 0,
    platform: process.platform,
    arch: arch(),
  })
}

/** A provider over a new data folder of its own. */
export async function createSubject(): Promise<TestSubject> {
  const top = await mkdtemp(path.join(tmpdir(), 'holm-qemu-'))
  const folder = path.join(top, `it's a "test"`)
  await mkdir(folder)
  const data = path.join(folder, 'data')
  return {
    provider: providerOver(data),
    context: { runner },
    folder,
    data,
    dispose: () => rm(top, { recursive: true, force: true }),
  }
}

/** The tarball that HOLM_TEST_ROOTFS names, or why there is none. */
export function loadRootfs():
  | { readonly base: Extract<Base, { kind: 'rootfs' }> }
  | { readonly base?: undefined; readonly reason: string } {
  const file = process.env['HOLM_TEST_ROOTFS']
  if (file === undefined) return { reason: 'HOLM_TEST_ROOTFS names no tarball of a root filesystem' }
  if (!existsSync(file)) return { reason: `HOLM_TEST_ROOTFS: ${file} does not exist` }
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
  return { base: { kind: 'rootfs', name: path.basename(file), path: file, sha256 } }
}

/** Undefined, or why machines cannot be started here. */
export async function whyNot(): Promise<string | undefined> {
  const rootfs = loadRootfs()
  if (rootfs.base === undefined) return rootfs.reason
  const { provider, dispose } = await createSubject()
  const { usable, reason } = await provider.probe(context())
  await dispose()
  return usable ? undefined : (reason ?? 'not usable')
}
