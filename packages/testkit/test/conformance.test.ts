import { createRunner } from '../../core/src/host/runner.ts'
import { createMemoryProvider, describeProvider, memoryManifest, memoryPlugin } from '../src/index.ts'

describeProvider('memory', {
  manifest: memoryManifest,
  plugin: memoryPlugin,
  base: { kind: 'image', reference: 'memory/base' },
  create: () => {
    const provider = createMemoryProvider()
    return {
      provider,
      context: { runner: createRunner({ env: process.env }) },
      dispose: () => provider.dispose(),
    }
  },
  logCommand: (line) => ['sh', '-c', 'printf "%s\\n" "$1" >> ../log', 'sh', line],
  skip: {
    'exec: a numeric user is applied': 'the fake runs everything as the caller',
    'mounts: a read-only bind mount cannot be written':
      'a mount of the fake is a link, which enforces nothing',
  },
})
