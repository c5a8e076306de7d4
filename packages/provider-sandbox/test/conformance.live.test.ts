import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describeProvider } from '@holm/testkit'
import { afterAll } from 'vitest'
import plugin from '../src/index.ts'
import { caller, createSubject, loadRootfs, manifest, whyNot } from './subject.ts'

const skip: Record<string, string> = {
  'limits: the pids limit stops a program that starts more':
    'its programs outlive their shell and hold its output open, so that the output never ends; sandbox.live.test.ts has the same check',
  ...(caller.uid === 0 ? {} : { 'exec: a numeric user is applied': 'without root a sandbox has one user' }),
}
const rootfs = loadRootfs()
// Unpacked once for both backends.
const cache = await mkdtemp(path.join(tmpdir(), 'holm-sandbox-cache-'))
afterAll(() => rm(cache, { recursive: true, force: true }))

// The log is a file: `>` would empty it, and PID 1 of the fallback is out of reach for programs inside.
const logCommand = (line: string): readonly string[] => [
  'sh',
  '-c',
  'printf "%s\\n" "$1" >>/run/holm.log',
  'sh',
  line,
]

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
