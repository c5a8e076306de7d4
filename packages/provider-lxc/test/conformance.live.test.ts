import { describeProvider } from '@holm/testkit'
import plugin from '../src/index.ts'
import { createSubject, loadRootfs, manifest, whyNot } from './subject.ts'

const rootfs = loadRootfs()

describeProvider('lxc (root)', {
  create: () => createSubject(),
  base: rootfs.base ?? { kind: 'folder', name: 'none', path: '/nonexistent' },
  manifest,
  plugin,
  unavailable: await whyNot(),
})
