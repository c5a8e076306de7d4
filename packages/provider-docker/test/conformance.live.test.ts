import { describeProvider } from '@holm/testkit'
import plugin, { createEngine, createProvider } from '../src/index.ts'
import manifest from '../package.json' with { type: 'json' }
import { loadLiveBase, liveSkip, namespace } from './live.ts'

const base = await loadLiveBase()

describeProvider('docker', {
  create() {
    const host = process.env['HOLM_TEST_DOCKER_HOST']
    const engine = createEngine({ namespace: namespace('kit'), env: {}, platform: process.platform, host })
    return { provider: createProvider(engine), dispose: engine.dispose }
  },
  base,
  manifest: manifest.holm as never,
  plugin,
  unavailable: liveSkip(),
  skip: { 'network: an unknown network is refused': 'docker makes a named network when it is missing' },
})
