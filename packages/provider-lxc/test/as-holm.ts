// A holm of its own that another test kills: makes environments and says what it is about to do.
import type { ProviderContext } from '@holm/core'
import { createSpec, createTestContext } from '@holm/testkit'
import { createLxcProvider } from '../src/index.ts'
import { caller, loadRootfs, runner } from './subject.ts'

const [data = '', cache = ''] = process.argv.slice(2)
const { base } = loadRootfs()
const provider = createLxcProvider({ paths: { data, cache }, namespace: 'test', env: process.env, caller })
const context = (): ProviderContext => createTestContext({ runner })
const specOf = (name: string): ReturnType<typeof createSpec> =>
  createSpec({
    name,
    ...(base ? { base } : {}),
    ports: [{ container: 80, hostIp: '127.0.0.1', protocol: 'tcp' }],
    mounts: [{ type: 'volume', target: '/data', readonly: false }],
  })
const say = (step: string): void => void process.stdout.write(`${step}\n`)

say('create')
await provider.create(specOf('box'), context())
say('start')
await provider.start('box', context())
say('exec')
const program = await provider.exec('box', { argv: ['sh', '-c', 'echo x >/file; sleep 0.05'] }, context())
program.stdout.resume()
program.stderr.resume()
await program.exited
say('snapshot')
await provider.snapshots?.create('box', 'live', context())
say('stop')
await provider.stop('box', { graceMs: 500 }, context())
say('clone')
await provider.clone?.clone('box', specOf('copy'), context())
say('restore')
await provider.snapshots?.restore('box', 'live', context())
say('remove')
await provider.remove('box', { volumes: true }, context())
say('done')
