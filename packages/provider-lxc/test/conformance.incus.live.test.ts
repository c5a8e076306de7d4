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
  unavailable: await whyNotIncus(),
})
