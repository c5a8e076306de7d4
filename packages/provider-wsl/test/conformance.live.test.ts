import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describeProvider } from '@holm/testkit'
import { afterAll } from 'vitest'
import plugin from '../src/index.ts'
import { createWorld, logCommand, manifest, whyNot, type World } from './world.ts'

const unavailable = whyNot()
const layers = await mkdtemp(path.join(tmpdir(), 'holm-wsl-layers-'))
const world: World | undefined = unavailable === undefined ? await createWorld({ layers }) : undefined
afterAll(async () => {
  await world?.dispose()
  await rm(layers, { recursive: true, force: true })
})

describeProvider('wsl (stand-in for wsl.exe over lxc)', {
  create: () => ({
    provider: (world as World).provider,
    context: (world as World).context,
  }),
  base: world?.base() ?? { kind: 'rootfs', name: 'none', path: '/nonexistent', sha256: '' },
  manifest,
  plugin,
  logCommand,
  // A copy of everything is unpacked again by the stand-in; real disks are files.
  timeoutMs: 120_000,
  unavailable,
})
