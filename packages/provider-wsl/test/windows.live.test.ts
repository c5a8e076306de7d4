import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Base } from '@holm/core'
import { createRunner } from '@holm/core/host'
import { createTestContext, describeProvider } from '@holm/testkit'
import { afterAll } from 'vitest'
import plugin, { createWslProvider } from '../src/index.ts'
import { logCommand, manifest } from './world.ts'

/** The real wsl.exe, from Windows or from inside a distribution. */
const folder = process.platform === 'win32' ? await mkdtemp(path.join(tmpdir(), 'holm-wsl-')) : undefined
afterAll(async () => {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 10 })
})
const runner = createRunner({ env: process.env })
const provider = createWslProvider({
  platform: process.platform,
  namespace: `test-${process.pid}`,
  env: process.env,
  ...(folder === undefined ? {} : { folder }),
})
const base = loadBase()

describeProvider('wsl (the real one)', {
  create: () => ({ provider, context: { runner } }),
  base: base ?? { kind: 'rootfs', name: 'none', path: '/nonexistent', sha256: '' },
  manifest,
  plugin,
  logCommand,
  timeoutMs: 180_000,
  unavailable: await whyNot(),
})

async function whyNot(): Promise<string | undefined> {
  const probe = await provider.probe(createTestContext({ runner }))
  if (!probe.usable) return probe.reason ?? 'WSL is not usable'
  return base === undefined ? 'HOLM_TEST_ROOTFS names no tarball of a root filesystem' : undefined
}

function loadBase(): Base | undefined {
  const file = process.env['HOLM_TEST_ROOTFS']
  if (file === undefined || !existsSync(file)) return undefined
  const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
  return { kind: 'rootfs', name: path.basename(file), path: file, sha256 }
}
