// A holm that is killed: makes and starts environments until then. Its first line says that the work begins.
import { createRunner } from '@holm/core/host'
import { createSpec, createTestContext } from '@holm/testkit'
import type { Base } from '@holm/core'
import { createEngine, createProvider } from '../src/index.ts'

interface Settings {
  readonly namespace: string
  readonly data: string
  readonly address: string
  readonly base: Base
  readonly name: string
  readonly network?: string
}

const { base, name, network = 'default', ...settings } = JSON.parse(process.argv[2] ?? '{}') as Settings
const env = { PATH: process.env['PATH'] }
const engine = createEngine({ ...settings, env, caller: { uid: 0, gid: 0 } })
const provider = createProvider(engine)
const context = (): ReturnType<typeof createTestContext> =>
  createTestContext({ runner: createRunner({ env: process.env }) })

await provider.list(context())
process.stdout.write('begin\n')
const ports = [{ container: 80, hostIp: '127.0.0.1', protocol: 'tcp' }] as const
const mounts = [{ type: 'volume', target: '/var/cache', readonly: false }] as const
await provider.create(createSpec({ name, base, ports, mounts, network }), context())
await provider.start(name, context())
process.stdout.write('started\n')
await provider.stop(name, { graceMs: 0 }, context())
await provider.clone?.clone(name, createSpec({ name: `${name}-clone`, base }), context())
process.stdout.write('done\n')
// Waits to be killed.
setInterval(() => undefined, 1000)
