import { describeProvider } from '@holm/testkit'
import plugin from '../src/index.ts'
import { createSubject, loadRootfs, manifest, whyNot } from './subject.ts'

const unavailable = await whyNot()

describeProvider('qemu', {
  create: createSubject,
  base: loadRootfs().base ?? { kind: 'host' },
  manifest,
  plugin,
  unavailable,
  // An emulated processor takes seconds to boot, and several at once share those of this machine.
  timeoutMs: 240_000,
  repeat: 2,
  parallel: 3,
})
