import { describeProvider } from '@holm/testkit'
import plugin, { createEngine, createProvider } from '../src/index.ts'
import { label } from '../src/names.ts'
import manifest from '../package.json' with { type: 'json' }
import { loadLiveBase, liveSkip, namespace } from './live.ts'

const base = await loadLiveBase()

describeProvider('docker', {
  create() {
    const host = process.env['HOLM_TEST_DOCKER_HOST']
    const engine = createEngine({ namespace: namespace('kit'), env: {}, platform: process.platform, host })
    return {
      provider: createProvider(engine),
      dispose: engine.dispose,
      networks: async () => {
        const docker = await engine.docker()
        const filters = { label: [`${label.namespace}=${engine.namespace}`] }
        return (await docker.listNetworks({ filters })).map(({ Name }) => Name)
      },
    }
  },
  base,
  manifest: manifest.holm as never,
  plugin,
  unavailable: liveSkip(),
})
