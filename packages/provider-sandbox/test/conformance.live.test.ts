import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describeProvider } from '@holm/testkit'
import { afterAll } from 'vitest'
import plugin from '../src/index.ts'
import { caller, createSubject, loadRootfs, logCommand, manifest, whyNot } from './subject.ts'

const skip: Record<string, string> =
  caller.uid === 0 ? {} : { 'exec: a numeric user is applied': 'without root a sandbox has one user' }
const rootfs = loadRootfs()
// Unpacked once for both backends.
const cache = await mkdtemp(path.join(tmpdir(), 'holm-sandbox-cache-'))
afterAll(() => rm(cache, { recursive: true, force: true }))

for (const backend of ['bwrap', 'unshare'] as const) {
  const unavailable = await whyNot(backend)
  describeProvider(`sandbox (${backend}, host, ${caller.name})`, {
    create: () => createSubject(backend),
    base: { kind: 'host' },
    folder: caller.home,
    manifest,
    plugin,
    logCommand,
    skip,
    unavailable,
  })
  describeProvider(`sandbox (${backend}, rootfs, ${caller.name})`, {
    create: () => createSubject(backend, cache),
    base: rootfs.base ?? { kind: 'host' },
    folder: '/root',
    manifest,
    plugin,
    logCommand,
    skip,
    unavailable: unavailable ?? ('reason' in rootfs ? rootfs.reason : undefined),
  })
}
