// Runs the conformance kit in a process of its own, which another test starts as an ordinary user. Prints the results as JSON.
import { runChecks } from '@holm/testkit'
import plugin from '../src/index.ts'
import { caller, createSubject, loadRootfs, manifest, whyNot } from './subject.ts'

const unavailable = await whyNot()
const { base } = loadRootfs()
const noPorts = 'without root no port is published'
const results = await runChecks({
  create: () => createSubject(),
  base: base ?? { kind: 'folder', name: 'none', path: '/nonexistent' },
  manifest,
  plugin,
  skip: {
    'ports: a port without a wish gets a free one of this machine': noPorts,
    'ports: a wished port is taken': noPorts,
    'ports: a stopped environment has none, and gets them again': noPorts,
    'ports: a port in use is HOLM_PORT_TAKEN': noPorts,
  },
  unavailable,
})
process.stdout.write(JSON.stringify({ uid: caller.uid, unavailable, results }))
