// Run by plugin-minimal.test.ts in a process of its own: uses what is installed in a data folder, and prints what happened.
import { createHooks } from '../src/host/hooks.ts'
import { createRunner } from '../src/host/runner.ts'
import { discoverPlugins } from '../src/host/plugins/discover.ts'
import { createRegistry } from '../src/host/plugins/registry.ts'
import type { CommandInput } from '../src/command.ts'
import type { HostApi } from '../src/host-api.ts'
import type { EnvironmentSpec } from '../src/spec.ts'

const [dataFolder = ''] = process.argv.slice(2)
const warnings: string[] = []
const onWarning = ({ message }: { readonly message: string }): void => void warnings.push(message)
const hooks = createHooks({ onWarning })
const descriptors = discoverPlugins({ bundled: [], dataFolder, configured: [], configFolder: dataFolder })
const registry = createRegistry({
  descriptors,
  hooks,
  onWarning,
  apiFor: ({ id }) => ({
    config: {},
    env: {},
    platform: process.platform,
    paths: { data: `${dataFolder}/plugins-data/${id}`, cache: `${dataFolder}/cache/${id}` },
    namespace: 'test',
    log: { debug() {}, info() {}, warn() {} },
    note() {},
    runner: createRunner({ env: {} }),
    records: () => {
      throw new Error('this plugin keeps no records')
    },
  }),
})
const methods = registry.bindMethods({} as HostApi)
const listed = await registry.commands()
const command = await registry.loadCommand('hello greet')
const result = await command.run({ args: { who: 'Ada' }, flags: { loud: true } } as unknown as CommandInput)
const failure: unknown = await command
  .run({ args: { who: ' ' }, flags: {} } as unknown as CommandInput)
  .catch((error: unknown) => error)
await registry.loadForHooks(['resolveSpec'])
const spec = await hooks.resolve('resolveSpec', { name: 'demo', env: {} } as EnvironmentSpec, {
  project: '/',
})
const greeting: unknown = await methods['helloGreeting']?.('Grace' as never)
await registry.close()
process.stdout.write(
  JSON.stringify({
    names: descriptors.map(({ name, version, origin }) => [name, version, origin]),
    commands: listed.map(({ id, plugin }) => [id, plugin]),
    result,
    failure: failure instanceof Error && 'code' in failure ? failure.code : failure,
    env: spec.env,
    greeting,
    tapped: hooks.tapped('resolveSpec'),
    warnings,
  }),
)
