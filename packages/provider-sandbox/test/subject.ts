import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import path from 'node:path'
import type { Base, PluginManifest, Provider, ProviderContext } from '@holm/core'
import { createRunner } from '@holm/core/host'
import type { Backend, Caller } from '../src/index.ts'
import { createSandboxProvider } from '../src/index.ts'

const user = userInfo()

export const caller: Caller = { uid: user.uid, gid: user.gid, name: user.username, home: user.homedir }

export const runner = createRunner({ env: process.env })

export const manifest = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { holm: PluginManifest }
).holm

/** Makes the log contain a line. It is a file: `>` would empty it, and PID 1 of the fallback is out of reach for programs inside. */
export const logCommand = (line: string): readonly string[] => [
  'sh',
  '-c',
  'printf "%s\\n" "$1" >>/run/holm.log',
  'sh',
  line,
]

export interface TestSubject {
  readonly provider: Provider
  readonly context: Pick<ProviderContext, 'runner'>
  /** Folder of everything; its name has a space and quotes. */
  readonly folder: string
  /** Another provider over the same data, as a second holm process has it. */
  again(): Provider
  dispose(): Promise<void>
}

/** A provider over a new data folder of its own. */
export async function createSubject(backend: Backend, cache?: string): Promise<TestSubject> {
  const top = await mkdtemp(path.join(tmpdir(), 'holm-sandbox-'))
  const folder = path.join(top, `it's a "test"`)
  await mkdir(folder)
  const again = (): Provider =>
    createSandboxProvider({
      paths: { data: path.join(folder, 'data'), cache: cache ?? path.join(folder, 'cache') },
      namespace: 'test',
      env: process.env,
      caller,
      backend,
    })
  return {
    provider: again(),
    context: { runner },
    folder,
    again,
    dispose: () => rm(top, { recursive: true, force: true }),
  }
}

/** The tarball that HOLM_TEST_ROOTFS names, or why there is none. */
export function loadRootfs():
  | { readonly base: Base }
  | { readonly base?: undefined; readonly reason: string } {
  const file = process.env['HOLM_TEST_ROOTFS']
  if (file === undefined) return { reason: 'HOLM_TEST_ROOTFS names no tarball of a root filesystem' }
  if (!existsSync(file)) return { reason: `HOLM_TEST_ROOTFS: ${file} does not exist` }
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
  return { base: { kind: 'rootfs', name: path.basename(file), path: file, sha256 } }
}

/** Undefined, or why this backend cannot be used here. */
export async function whyNot(backend: Backend): Promise<string | undefined> {
  const { provider, context, dispose } = await createSubject(backend)
  const log = { debug: () => undefined, info: () => undefined, warn: () => undefined }
  const probe = await provider.probe({
    ...context,
    log,
    signal: AbortSignal.timeout(5000),
    progress: () => undefined,
  })
  await dispose()
  return probe.usable ? undefined : `${backend}: ${probe.reason ?? 'not usable'}`
}
