import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { existsSync } from 'node:fs'
import type { ProviderContext } from '@holm/core'
import { createTestContext } from '@holm/testkit'
import { createLxcProvider } from '../src/index.ts'
import { caller, loadRootfs, runner, type TestSubject } from './subject.ts'

/** The socket of a daemon that the tests started: one of the machine's own is never touched. */
export const testSocket: string | undefined = process.env['HOLM_TEST_INCUS_SOCKET']

/** A provider that uses the tests' own daemon of Incus or LXD, in a namespace of its own. */
export async function createIncusSubject(): Promise<TestSubject> {
  const top = await mkdtemp(path.join(tmpdir(), 'holm-incus-'))
  const folder = path.join(top, `it's a "test"`)
  await mkdir(folder)
  const namespace = `test-${path.basename(top).slice(-6)}`
  const disposals: (() => void)[] = []
  const again = (): TestSubject['provider'] =>
    createLxcProvider({
      paths: { data: path.join(folder, 'data'), cache: path.join(folder, 'cache') },
      namespace,
      env: process.env,
      caller,
      config: { driver: 'incus', ...(testSocket === undefined ? {} : { socket: testSocket }) },
      onDispose: (dispose) => disposals.push(dispose),
    })
  return {
    provider: again(),
    context: { runner },
    folder,
    again,
    networks: async () => [],
    dispose: async () => {
      for (const dispose of disposals) dispose()
      await rm(top, { recursive: true, force: true })
    },
  }
}

export const context = (signal?: AbortSignal): ProviderContext =>
  createTestContext({ runner, ...(signal === undefined ? {} : { signal }) })

/** Undefined, or why the daemon cannot be used here. */
export async function whyNotIncus(): Promise<string | undefined> {
  const { reason } = loadRootfs()
  if (reason !== undefined) return reason
  if (testSocket === undefined)
    return 'HOLM_TEST_INCUS_SOCKET names no socket of an Incus or LXD that belongs to the tests'
  if (!existsSync(testSocket)) return `HOLM_TEST_INCUS_SOCKET: ${testSocket} does not exist`
  const { provider, dispose } = await createIncusSubject()
  const probe = await provider.probe(context())
  await dispose()
  return probe.usable ? undefined : (probe.reason ?? 'not usable')
}
