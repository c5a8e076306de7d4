import { globSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { prepareRootfs } from '../../../scripts/testing/rootfs.ts'
import { holmCli, type Lab } from '../lab.ts'
import type { Case } from '../measure.ts'
import type { Suite } from './suite.ts'

/** Writes as much as an installation of some tools does, without asking a mirror. */
const installation =
  'mkdir -p /opt/tools && for i in $(seq 40); do head -c 4194304 /dev/urandom > /opt/tools/$i; done'
/** A gibibyte as environments have it: five times the programs of a distribution, 36,000 files of all sizes. */
const gigabyte = (folder: string, programs: string): string =>
  `mkdir -p ${folder} && for i in 1 2 3 4 5; do cp -a ${programs} ${folder}/$i; done`

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

const cloned = ['docker', 'containerd', 'lxc', 'sandbox', 'qemu'] as const

/** A clone of an environment with 1 GiB of its own, beside a copy of the same files on the same disk: both are then stopped. */
export const clones: Suite = {
  name: 'clones',
  needs: 'docker',
  async *cases(lab) {
    const rootfs = await requireRootfs()
    const files = lab.createProject('gigabyte')
    await lab.run(['tar', '--extract', '--file', rootfs, '--directory', files, './usr'])
    await lab.run(['sh', '-c', gigabyte(`${files}/from`, `${files}/usr`)])
    const problems: string[] = []
    for (const provider of cloned) {
      try {
        yield* cloneCase(lab, provider, { rootfs, files })
      } catch (error) {
        problems.push(`${provider}: ${(error as Error).message}`)
      }
    }
    await lab.run(['rm', '-rf', files])
    if (problems.length > 0) throw new Error(problems.join('; '))
  },
}

async function* cloneCase(
  lab: Lab,
  provider: string,
  { rootfs, files }: { readonly rootfs: string; readonly files: string },
): AsyncIterable<Case> {
  const name = `big-${provider}`
  const scripts = { setup: gigabyte('/opt/big', '/usr') }
  const project = lab.createProject(name, {
    'holm.yaml': JSON.stringify({ name, provider, base: { rootfs }, scripts, project: false }),
  })
  // A golden image would be a copy that nobody looks at.
  const env = { ...lab.env, HOLM_UP__GOLDEN: 'false' }
  await lab.run([process.execPath, holmCli, 'up'], { cwd: project, env })
  // What was written before is on the disk: nobody waits for what another contender left to be written.
  const settled = (): Promise<string> => lab.run(['sync'])
  const destroy = (): Promise<string> => lab.holm(project, 'destroy', `${name}-copy`, '--yes')
  try {
    await lab.holm(project, 'stop')
    yield {
      id: `clone-${provider}`,
      title: `${provider}: a clone of a stopped environment with 1 GiB of its own`,
      contenders: [
        {
          name: 'cp -a of 1 GiB',
          before: settled,
          run: () => lab.run(['cp', '-a', `${files}/from`, `${files}/to`]),
          after: () => lab.run(['rm', '-rf', `${files}/to`]),
        },
        {
          name: 'holm clone --no-start',
          before: settled,
          run: () => lab.holm(project, 'clone', name, `${name}-copy`, '--no-start'),
          after: destroy,
        },
        {
          name: 'holm clone',
          before: settled,
          run: () => lab.holm(project, 'clone', name, `${name}-copy`),
          after: destroy,
        },
      ],
      budgets: [{ of: 'holm clone --no-start', than: 'cp -a of 1 GiB', times: 0.1 }],
    }
  } finally {
    await lab.holm(project, 'destroy', name, '--yes')
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
            name: 'holm start, kernel and all',
            before: async () => {
              await lab.holm(project, 'stop')
              forbidWarmStarts(lab)
            },
            run: () => lab.holm(project, 'start'),
            after: async () => allowWarmStarts(lab),
          },
          {
            name: 'holm start, from memory',
            before: () => lab.holm(project, 'stop'),
            run: () => lab.holm(project, 'start'),
          },
          {
            name: 'holm snapshot restore',
            before: () => lab.holm(project, 'stop'),
            run: () => lab.holm(project, 'snapshot', 'restore', 'vm', 'warm', '--yes', '--no-files'),
          },
        ],
        budgets: [{ of: 'holm snapshot restore', than: 'holm start, kernel and all', times: 0.2 }],
      }
    } finally {
      await lab.holm(project, 'destroy', 'vm', '--yes')
    }
  },
}

/** The memories that emulated machines go on from are put away, and a file in their place keeps new ones from being saved. */
function forbidWarmStarts({ folder }: Lab): void {
  const [found] = globSync('**/cache/plugins/qemu/warm', { cwd: folder })
  if (found === undefined) throw new Error('holm has kept no memory of a machine')
  renameSync(join(folder, found), join(folder, 'warm-put-away'))
  writeFileSync(join(folder, found), '')
}

function allowWarmStarts({ folder }: Lab): void {
  const [found] = globSync('**/cache/plugins/qemu/warm', { cwd: folder })
  if (found === undefined) throw new Error('the file in place of the memories is gone')
  rmSync(join(folder, found))
  renameSync(join(folder, 'warm-put-away'), join(folder, found))
}
