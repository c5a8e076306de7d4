import type { ProviderKitOptions, Subject } from '../src/index.ts'
import { createMemoryProvider, memoryManifest, memoryPlugin } from '../src/memory/index.ts'
import type { Provider } from '@holm/core'
import { createRunner } from '../../core/src/host/runner.ts'

/** The memory provider under the kit, optionally with parts replaced. */
export function memoryKit(
  change: (provider: Provider) => Partial<Provider> = () => ({}),
): ProviderKitOptions {
  return {
    manifest: memoryManifest,
    plugin: memoryPlugin,
    base: { kind: 'image', reference: 'memory/base' },
    create: (): Subject => {
      const provider = createMemoryProvider()
      const runner = createRunner({ env: process.env })
      return {
        provider: { ...provider, ...change(provider) },
        context: { runner },
        dispose: () => provider.dispose(),
      }
    },
    logCommand: (line) => ['sh', '-c', 'printf "%s\\n" "$1" >> ../log', 'sh', line],
    skip: {
      'checkpoints: what ran goes on where it was, memory included':
        'the fake runs real programs and cannot save their memory',
      'exec: a numeric user is applied': 'the fake runs everything as the caller',
      'mounts: a read-only bind mount cannot be written':
        'a mount of the fake is a link, which enforces nothing',
    },
  }
}
