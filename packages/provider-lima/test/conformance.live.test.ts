import { describeProvider } from '@holm/testkit'
import plugin from '../src/index.ts'
import { createSubject, loadImage, logCommand, manifest, whyNoStandIn } from './subject.ts'

const stopped = 'limactl clones stopped instances only: a running origin is HOLM_ENVIRONMENT_RUNNING'

describeProvider('lima (stand-in on LXC)', {
  create: () => createSubject(),
  base: await loadImage(),
  manifest,
  plugin,
  unavailable: whyNoStandIn(),
  logCommand,
  // What is slow here is the stand-in, not Lima: what is repeated is repeated less.
  repeat: 2,
  parallel: 4,
  skip: {
    'clone: clone and origin are independent': stopped,
    'clone: everything but the files is as the spec says': stopped,
  },
})
