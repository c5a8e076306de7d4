import { spawnSync } from 'node:child_process'
import { createRunner } from '@holm/core/host'
import { describeProvider } from '@holm/testkit'
import plugin, { createProvider } from '../src/index.ts'
import { logCommand, manifest } from './subject.ts'

// The real limactl, where there is one: it boots Debian 12 some hundred times, and fetches its image once.
const namespace = `kit${process.pid}`

describeProvider('lima', {
  create: () => ({
    provider: createProvider({ namespace, env: process.env, platform: process.platform }),
    context: { runner: createRunner({ env: process.env }) },
  }),
  base: { kind: 'image', reference: 'debian:12' },
  manifest,
  plugin,
  unavailable: whyNoLima(),
  logCommand,
  parallel: 2,
  repeat: 2,
  timeoutMs: 20 * 60_000,
  skip: {
    'limits: every declared limit is in the state, with what enforces it': 'Debian does not boot with 64 MiB',
    'limits: the memory limit stops a program that takes more': 'Debian does not boot with 64 MiB',
    resize: 'Debian does not boot with 128 MiB, nor from a disk of 1 GiB',
    'clone: clone and origin are independent': 'limactl clones stopped instances only',
    'clone: everything but the files is as the spec says': 'limactl clones stopped instances only',
  },
})

function whyNoLima(): string | undefined {
  const { status, stderr, error } = spawnSync('limactl', ['--version'], { encoding: 'utf8' })
  if (error) return 'limactl is not installed'
  return status === 0 ? undefined : `limactl cannot be used: ${stderr.trim()}`
}
