import { describeProvider } from '@holm/testkit'
import plugin from '../src/index.ts'
import manifest from '../package.json' with { type: 'json' }
import { liveSkip, loadLiveBase, openLive } from './live.ts'

describeProvider('containerd', {
  create: openLive,
  base: await loadLiveBase(),
  manifest: manifest.holm as never,
  plugin,
  unavailable: liveSkip(),
})
