import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { definePlugin, type EnvironmentSpec, type HostApi, type PluginRecords } from '@holm/core'
import { createHost } from '@holm/core/host'
import { createMemoryProvider, type MemoryProvider } from '@holm/testkit'
import { onTestFinished } from 'vitest'
import type { WorkspaceConfig, WorkspaceRecord, Workspaces } from '../src/index.ts'
import plugin from '../src/index.ts'

/** A repository with one commit, and a holm over it whose environments are processes of the memory provider. */
export interface Stage {
  readonly folder: string
  readonly repository: string
  readonly host: HostApi
  readonly provider: MemoryProvider
  readonly workspaces: Workspaces
  readonly warnings: string[]
  /** What `up` was asked to make, in order. */
  readonly specs: readonly EnvironmentSpec[]
  /** git in a folder, its output without the line end. */
  git(folder: string, ...args: readonly string[]): string
  write(path: string, text: string): void
  /** The record as a holm that was killed in `create` leaves it. */
  halve(name: string): void
  /** The record as a holm that was killed in `rename` leaves it. */
  halfRename(name: string, to: string): void
}

const identity = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' }

export async function setStage(config: WorkspaceConfig = {}): Promise<Stage> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "holm it's ws ")))
  const repository = join(folder, 'my repo')
  const provider = createMemoryProvider({ root: join(folder, 'memory') })
  const warnings: string[] = []
  const specs: EnvironmentSpec[] = []
  const memory = definePlugin({
    name: 'test-memory',
    contract: 1,
    setup(api) {
      api.provide('provider', 'memory', () => provider)
      api.hook('beforeUp', ({ spec }) => void specs.push(spec))
    },
  })
  let records: PluginRecords<WorkspaceRecord> | undefined
  const configured = definePlugin({
    name: plugin.name,
    contract: plugin.contract,
    setup(api) {
      records = api.records('workspace')
      return plugin.setup({ ...api, config })
    },
  })
  const env = { PATH: process.env['PATH'], HOME: folder, HOLM_HOME: join(folder, 'home'), ...identity }
  const git: Stage['git'] = (where, ...args) =>
    execFileSync('git', args, { cwd: where, env, encoding: 'utf8' }).trimEnd()
  const write: Stage['write'] = (path, text) => {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  mkdirSync(repository)
  git(repository, 'init', '--quiet', '--initial-branch=main')
  git(repository, 'config', 'user.name', 'Ada')
  git(repository, 'config', 'user.email', 'ada@example.org')
  write(join(repository, 'holm.yaml'), 'name: demo\nbase: host\n')
  write(join(repository, '.gitignore'), '.env\nnode_modules\n')
  write(join(repository, 'a b.txt'), 'one\n')
  git(repository, 'add', '--all')
  git(repository, 'commit', '--quiet', '--message', 'first')
  const host = await createHost({
    cwd: repository,
    env,
    plugins: [memory, configured],
    onEvent: (event) => void (event.type === 'warning' && warnings.push(event.message)),
  })
  onTestFinished(async () => {
    await host.close()
    await provider.dispose()
    rmSync(folder, { recursive: true, force: true })
  })
  // What is defined in this program is loaded with the first question that it may answer.
  await host.commands.list()
  const open = host.methods['workspaces'] as unknown as () => Promise<Workspaces>
  const amend = (name: string, changed: Partial<WorkspaceRecord>): void => {
    const record = records?.get(name)
    if (record) records?.put(name, { ...record, ...changed })
  }
  return {
    folder,
    repository,
    host,
    provider,
    workspaces: await open(),
    warnings,
    specs,
    git,
    write,
    halve: (name) => amend(name, { phase: 'creating' }),
    halfRename: (name, to) => amend(name, { renaming: to }),
  }
}
