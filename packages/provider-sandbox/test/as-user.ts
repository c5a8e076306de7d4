// Runs the conformance kit in a process of its own, which another test starts as an ordinary user. Prints the results as JSON.
import { runChecks } from '@holm/testkit'
import plugin from '../src/index.ts'
import type { Backend } from '../src/index.ts'
import { caller, createSubject, logCommand, manifest, whyNot } from './subject.ts'

const backend = process.argv[2] as Backend
const unavailable = await whyNot(backend)
const results = await runChecks({
  create: () => createSubject(backend),
  base: { kind: 'host' },
  folder: caller.home,
  manifest,
  plugin,
  logCommand,
  skip: { 'exec: a numeric user is applied': 'without root a sandbox has one user' },
  unavailable,
})
process.stdout.write(JSON.stringify({ uid: caller.uid, unavailable, results }))
