import { createHost } from '@holm/core/host'
import type { HostApi } from '@holm/core'
import { listPackages } from '../../../scripts/packages.ts'
import { join } from 'node:path'
import { prepareRootfs } from '../../../scripts/testing/rootfs.ts'
import type { Lab } from '../lab.ts'
import type { Case } from '../measure.ts'
import { bareContainerd, bareDocker, bareLxc, bareQemu, type BareRuntime } from './bare-runtimes.ts'
import type { Suite } from './suite.ts'

/** The tool that a user would otherwise take, for each provider that can be measured here. */
const bareRuntimes: readonly BareRuntime[] = [bareDocker, bareContainerd, bareLxc, bareQemu]

/**
 * From nothing to the end of the first command, beside the bare tool, from one and the same root filesystem and without a
 * network where the bare tool makes none. The budget is the SDK's: a command line starts Node twice, which says nothing of a runtime.
 */
export const runtimes: Suite = {
  name: 'runtimes',
  needs: 'docker',
  async *cases(lab) {
    const rootfs = await prepareRootfs()
    if (rootfs === undefined) throw new Error('there is no root filesystem')
    const problems: string[] = []
    for (const bare of bareRuntimes) {
      try {
        yield* createToCommand(lab, { bare, rootfs })
      } catch (error) {
        problems.push(`${bare.provider}: ${(error as Error).message}`)
      }
    }
    if (problems.length > 0) throw new Error(problems.join('; '))
  },
}

async function* createToCommand(
  lab: Lab,
  { bare, rootfs }: { readonly bare: BareRuntime; readonly rootfs: string },
): AsyncIterable<Case> {
  const { provider, network } = bare
  const name = `rt-${provider}`
  const blueprint = { name, base: { rootfs }, provider, network }
  const project = lab.createProject(name, { 'holm.yaml': JSON.stringify(blueprint) })
  const host = await openHost(lab, project)
  try {
    // The base is unpacked or imported once; what is measured is what comes after.
    await host.up()
    const tool = await bare.prepare(lab, { rootfs, host, name })
    await host.destroy(name)
    try {
      yield {
        id: `runtime-${provider}`,
        title: `${provider}: from nothing to the end of the first command`,
        contenders: [
          { name: tool.name, run: tool.run, after: tool.after },
          {
            name: 'SDK',
            run: () => upAndRun(host, name),
            after: () => host.destroy(name),
          },
          {
            name: 'holm up; holm exec',
            run: async () => {
              await lab.holm(project, 'up')
              await lab.holm(project, 'exec', '--', 'true')
            },
            after: () => lab.holm(project, 'destroy', '--yes'),
          },
        ],
        budgets: [{ of: 'SDK', than: tool.name, times: 1.3 }],
      }
    } finally {
      await tool.dispose()
    }
  } finally {
    await host.destroy(name).catch(() => undefined)
    await host.close()
  }
}

async function openHost(lab: Lab, cwd: string): Promise<HostApi> {
  const bundled = listPackages()
    .filter(({ manifest }) => manifest.holm?.['kind'] === 'provider')
    .map(({ folder }) => join(folder, 'package.json'))
  return createHost({ cwd, env: lab.env, bundled })
}

async function upAndRun(host: HostApi, environment: string): Promise<void> {
  await host.up()
  const child = await host.exec({ environment, argv: ['true'] })
  child.stdout.resume()
  child.stderr.resume()
  const { code } = await child.exited
  if (code !== 0) throw new Error(`true ended with ${code}`)
}
