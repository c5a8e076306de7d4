import { prepareRootfs } from '../../../scripts/testing/rootfs.ts'
import { holmCli, type Lab } from '../lab.ts'
import type { Case } from '../measure.ts'
import type { Suite } from './suite.ts'

/** Writes as much as an installation of some tools does, without asking a mirror. */
const installation =
  'mkdir -p /opt/tools && for i in $(seq 40); do head -c 4194304 /dev/urandom > /opt/tools/$i; done'
const gigabyte =
  'mkdir -p /opt/big && for i in $(seq 64); do head -c 16777216 /dev/urandom > /opt/big/$i; done'

async function requireRootfs(): Promise<string> {
  const rootfs = await prepareRootfs()
  if (rootfs === undefined) throw new Error('there is no root filesystem')
  return rootfs
}

/** An `up` that finds a golden image beside one that installs. */
export const golden: Suite = {
  name: 'golden',
  needs: 'docker',
  async *cases(lab) {
    const blueprint = {
      name: 'golden',
      base: { rootfs: await requireRootfs() },
      scripts: { setup: installation },
    }
    const project = lab.createProject('golden', { 'holm.yaml': JSON.stringify(blueprint) })
    const destroy = (): Promise<string> => lab.holm(project, 'destroy', '--yes')
    const up = (useGolden: boolean) => (): Promise<string> =>
      lab.run([process.execPath, holmCli, 'up', '--provider', 'docker'], {
        cwd: project,
        env: { ...lab.env, HOLM_UP__GOLDEN: String(useGolden) },
      })
    await lab.holm(project, 'build', '--provider', 'docker')
    try {
      yield {
        id: 'golden-up',
        title: 'first up of a blueprint that writes 160 MiB, without and with its golden image',
        contenders: [
          { name: 'holm up, installing', run: up(false), after: destroy },
          { name: 'holm up, golden image', run: up(true), after: destroy },
        ],
        budgets: [{ of: 'holm up, golden image', than: 'holm up, installing', times: 0.5 }],
      }
    } finally {
      await lab.holm(project, 'image', 'prune', '--all', '--yes')
    }
  },
}

/** A clone of an environment with 1 GiB of its own, beside a copy of as many bytes on the same disk. */
export const clones: Suite = {
  name: 'clones',
  needs: 'docker',
  async *cases(lab) {
    const rootfs = await requireRootfs()
    const problems: string[] = []
    for (const provider of ['docker', 'containerd', 'lxc', 'sandbox']) {
      try {
        yield* cloneCase(lab, provider, rootfs)
      } catch (error) {
        problems.push(`${provider}: ${(error as Error).message}`)
      }
    }
    if (problems.length > 0) throw new Error(problems.join('; '))
  },
}

async function* cloneCase(lab: Lab, provider: string, rootfs: string): AsyncIterable<Case> {
  const name = `big-${provider}`
  const blueprint = { name, provider, base: { rootfs }, scripts: { setup: gigabyte } }
  const project = lab.createProject(name, { 'holm.yaml': JSON.stringify(blueprint) })
  const bytes = lab.createProject(`${name}-bytes`)
  await lab.holm(project, 'up')
  try {
    await lab.holm(project, 'stop')
    await lab.run(['sh', '-c', gigabyte.replaceAll('/opt/big', `${bytes}/from`)])
    yield {
      id: `clone-${provider}`,
      title: `${provider}: a clone of a stopped environment with 1 GiB of its own`,
      contenders: [
        {
          name: 'cp -a of 1 GiB',
          run: () => lab.run(['cp', '-a', `${bytes}/from`, `${bytes}/to`]),
          after: () => lab.run(['rm', '-rf', `${bytes}/to`]),
        },
        {
          name: 'holm clone',
          run: () => lab.holm(project, 'clone', name, `${name}-copy`),
          after: () => lab.holm(project, 'destroy', `${name}-copy`, '--yes'),
        },
      ],
      budgets: [{ of: 'holm clone', than: 'cp -a of 1 GiB', times: 0.1 }],
    }
  } finally {
    await lab.holm(project, 'destroy', name, '--yes')
    await lab.run(['rm', '-rf', bytes])
  }
}

/** A machine that goes on from its memory, beside one that boots. */
export const restored: Suite = {
  name: 'restored',
  async *cases(lab) {
    const blueprint = {
      name: 'vm',
      provider: 'qemu',
      base: { rootfs: await requireRootfs() },
      project: false,
    }
    const project = lab.createProject('vm', { 'holm.yaml': JSON.stringify(blueprint) })
    await lab.holm(project, 'up')
    try {
      await lab.holm(project, 'snapshot', 'create', 'vm', 'warm', '--memory')
      yield {
        id: 'restored-qemu',
        title: 'qemu: from stopped to running, by booting and from a snapshot with memory',
        contenders: [
          {
            name: 'holm start',
            before: () => lab.holm(project, 'stop'),
            run: () => lab.holm(project, 'start'),
          },
          {
            name: 'holm snapshot restore',
            before: () => lab.holm(project, 'stop'),
            run: () => lab.holm(project, 'snapshot', 'restore', 'vm', 'warm', '--yes', '--no-files'),
          },
        ],
        budgets: [{ of: 'holm snapshot restore', than: 'holm start', times: 0.2 }],
      }
    } finally {
      await lab.holm(project, 'destroy', 'vm', '--yes')
    }
  },
}
