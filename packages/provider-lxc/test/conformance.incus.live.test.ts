import { describeProvider } from '@holm/testkit'
import plugin from '../src/index.ts'
import { createIncusSubject, whyNotIncus } from './incus-subject.ts'
import { loadRootfs, manifest } from './subject.ts'

const rootfs = loadRootfs()

describeProvider('lxc (Incus or LXD)', {
  create: () => createIncusSubject(),
  base: rootfs.base ?? { kind: 'folder', name: 'none', path: '/nonexistent' },
  manifest,
  plugin,
  // The daemon takes seconds for a start on a busy machine, and some rules start a dozen.
  timeoutMs: 180_000,
  unavailable: await whyNotIncus(),
})
