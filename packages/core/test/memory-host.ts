import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryProvider, type MemoryOptions, type MemoryProvider } from '@holm/testkit/memory'
import { onTestFinished } from 'vitest'
import { definePlugin, type HostApi } from '../src/index.ts'
import type { HostOptions } from '../src/host/create-context.ts'
import { createHost } from '../src/host/create-host.ts'
import { readText } from '../src/host/runner.ts'

/** A project, a memory provider, and hosts over both. Gone after the test. */
export interface Stage {
  readonly folder: string
  readonly project: string
  readonly provider: MemoryProvider
  /** Another holm over the same data. */
  open(options?: Partial<HostOptions>): Promise<HostApi>
  blueprint(text: string): void
  /** What a script inside prints. */
  shell(host: HostApi, environment: string, script: string): Promise<string>
  methods(): string[]
}

export async function setStage(options: MemoryOptions = {}): Promise<Stage> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "holm it's ")))
  const project = join(folder, 'web')
  mkdirSync(project)
  const provider = createMemoryProvider({ root: join(folder, 'memory'), ...options })
  const hosts: HostApi[] = []
  onTestFinished(async () => {
    await Promise.all(hosts.map((host) => host.close()))
    await provider.dispose()
    rmSync(folder, { recursive: true, force: true })
  })
  const plugin = definePlugin({
    name: 'test-memory',
    contract: 1,
    setup: (api) => void api.provide('provider', 'memory', () => provider),
  })
  return {
    folder,
    project,
    provider,
    open: async (given = {}) => {
      const env = { PATH: process.env['PATH'], HOME: folder, HOLM_HOME: join(folder, 'home'), ...given.env }
      const host = await createHost({ cwd: project, plugins: [plugin], ...given, env })
      hosts.push(host)
      return host
    },
    blueprint: (text) => writeFileSync(join(project, 'holm.yaml'), text),
    shell: async (host, environment, script) => {
      const process = await host.exec({ environment, argv: ['/bin/sh', '-c', script], cwd: '/' })
      const text = await readText(process.stdout)
      await process.exited
      return text
    },
    methods: () => provider.calls.map(({ method }) => method),
  }
}
