import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import path from 'node:path'
import type { Base, PluginManifest, Provider, ProviderContext } from '@holm/core'
import { createRunner } from '@holm/core/host'
import { createTestContext } from '@holm/testkit'
import { createLxcProvider, type Caller } from '../src/index.ts'
import { resolveLayout } from '../src/layout.ts'

const user = userInfo()

export const caller: Caller = { uid: user.uid, gid: user.gid, name: user.username }

export const runner = createRunner({ env: process.env })

export const manifest = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { holm: PluginManifest }
).holm

export interface TestSubject {
  readonly provider: Provider
  readonly context: Pick<ProviderContext, 'runner'>
  /** Folder of everything; its name has a space and quotes. */
  readonly folder: string
  /** Another provider over the same data, as a second holm process has it. */
  again(): Provider
  /** Labels of the bridges that holm made on this machine, for this data folder. */
  networks(): Promise<readonly string[]>
  dispose(): Promise<void>
}

/** A provider over a new data folder of its own. */
export async function createSubject(cache?: string): Promise<TestSubject> {
  const top = await mkdtemp(path.join(tmpdir(), 'holm-lxc-'))
  const folder = path.join(top, `it's a "test"`)
  await mkdir(folder)
  const again = (): Provider =>
    createLxcProvider({
      paths: { data: path.join(folder, 'data'), cache: cache ?? path.join(folder, 'cache') },
      namespace: 'test',
      env: process.env,
      caller,
    })
  return {
    provider: again(),
    context: { runner },
    folder,
    again,
    networks: async () => listNetworks(hashOf(folder)),
    dispose: () => rm(top, { recursive: true, force: true }),
  }
}

/** What names of a data folder's containers, rules and bridges carry. */
export function hashOf(folder: string): string {
  return resolveLayout(path.join(folder, 'data'), 'test').hash
}

export function listNetworks(hash: string): string[] {
  const bridges = readdirSync('/sys/class/net').filter((name) => name.startsWith('hlxc'))
  const labels = bridges.map((name) => readFileSync(`/sys/class/net/${name}/ifalias`, 'utf8').trim())
  return labels.filter((label) => label.includes(hash))
}

/** The tarball that HOLM_TEST_ROOTFS names, or why there is none. */
export function loadRootfs():
  | { readonly base: Base; readonly reason?: undefined }
  | { readonly base?: undefined; readonly reason: string } {
  const file = process.env['HOLM_TEST_ROOTFS']
  if (file === undefined) return { reason: 'HOLM_TEST_ROOTFS names no tarball of a root filesystem' }
  if (!existsSync(file)) return { reason: `HOLM_TEST_ROOTFS: ${file} does not exist` }
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
  return { base: { kind: 'rootfs', name: path.basename(file), path: file, sha256 } }
}

/** Undefined, or why LXC cannot be used here. */
export async function whyNot(): Promise<string | undefined> {
  const { reason } = loadRootfs()
  if (reason !== undefined) return reason
  const { provider, context, dispose } = await createSubject()
  const probe = await provider.probe(createTestContext(context))
  await dispose()
  return probe.usable ? undefined : (probe.reason ?? 'not usable')
}
