import { join } from 'node:path'
import type { HostApi } from '@holm/core'
import { createHost } from '@holm/core/host'
import { memoryManifest, memoryPlugin } from '@holm/testkit/memory'
import { root } from '../../../scripts/root.ts'
import { holmCli, type Lab } from '../lab.ts'
import type { Case } from '../measure.ts'
import { bareNode, createHolmProject } from './contenders.ts'
import type { Suite } from './suite.ts'

const inMemory = 200
const inDocker = 50
const atOnce = 4

export const list: Suite = {
  name: 'list',
  async *cases(lab) {
    const plugin = lab.createProject('holm-memory', {
      'package.json': JSON.stringify({
        name: memoryPlugin.name,
        version: '1.0.0',
        type: 'module',
        holm: memoryManifest,
      }),
      'index.js': `export { default } from ${JSON.stringify(import.meta.resolve('@holm/testkit/memory'))}\n`,
    })
    const project = lab.createProject('list-memory', {
      'holm.yaml': 'base: host\n',
      'holm.config.json': JSON.stringify({
        plugins: [plugin],
        provider: 'memory',
        plugin: { memory: { file: join(lab.folder, 'memory.json') } },
      }),
    })
    yield* listCase(lab, { id: 'list-memory', project, count: inMemory, of: 'the in-memory provider' })
  },
}

export const listDocker: Suite = {
  name: 'list-docker',
  needs: 'docker',
  async *cases(lab) {
    const project = createHolmProject(lab, 'list-docker')
    yield* listCase(lab, { id: 'list-docker', project, count: inDocker, of: 'Docker' })
  },
}

interface ListInput {
  readonly id: string
  readonly project: string
  readonly count: number
  readonly of: string
}

async function* listCase(lab: Lab, { id, project, count, of }: ListInput): AsyncIterable<Case> {
  // A data folder of its own: what other suites left would be listed, too.
  const env = { ...lab.env, HOLM_HOME: join(lab.folder, `holm-${id}`) }
  const bundled = ['provider-docker', 'provider-sandbox'].map((name) =>
    join(root, 'packages', name, 'package.json'),
  )
  const host = await createHost({ cwd: project, env, bundled })
  const names = Array.from({ length: count }, (_, index) => `${id}-${index}`)
  try {
    await inTurns(names, (name) => host.up({ name, cwd: project, signal: lab.signal }))
    const shown = await listNames(host)
    if (shown !== count) throw new Error(`${shown} of ${count} environments are listed`)
    yield {
      id,
      title: `list ${count} environments of ${of}`,
      contenders: [
        bareNode(lab),
        { name: 'holm list', run: () => lab.run([process.execPath, holmCli, 'list'], { cwd: project, env }) },
      ],
      budgets: [{ of: 'holm list', than: 'node -e 0', plusMs: 100 }],
    }
  } finally {
    await inTurns(names, (name) => host.destroy(name).catch(() => undefined))
    await host.close()
  }
}

async function listNames(host: HostApi): Promise<number> {
  return (await host.list()).length
}

/** A few at once: the engine of a small machine answers late when it is given all. */
async function inTurns(names: readonly string[], work: (name: string) => Promise<unknown>): Promise<void> {
  const rest = names.values()
  const lane = async (): Promise<void> => {
    for (const name of rest) await work(name)
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}
