// Creates and starts an environment in a process of its own, which another test kills on the way. Prints each step it has done.
import { createSpec } from '@holm/testkit'
import { context, loadRootfs, providerOver } from './subject.ts'

const [data = '', name = ''] = process.argv.slice(2)
const provider = providerOver(data)
const { base } = loadRootfs()
if (base === undefined) throw new Error('no base')
process.stdout.write('begun\n')
await provider.create(createSpec({ name, base }), context())
process.stdout.write('created\n')
await provider.start(name, context())
process.stdout.write('started\n')
setInterval(() => undefined, 1000)
