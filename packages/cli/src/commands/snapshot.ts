import type { Snapshot } from '@holm/core'
import type { BuiltinCommand } from '../builtin.ts'
import { formatAge, formatBytes } from '../output/units.ts'
import { callOptions, environmentArg, optional, yesFlag } from './shared.ts'

const group = 'Images and copies'
const whose = { ...environmentArg, name: 'environment', required: true } as const
const nameArg = { name: 'name', description: 'Name of the snapshot.', required: true } as const
const noFiles = {
  type: 'boolean',
  description: 'Leave the files of bind mounts (the project folder) alone.',
} as const

export const snapshotCreate: BuiltinCommand = {
  id: 'snapshot create',
  group,
  summary: 'Save an environment, with the files of its project folder.',
  description:
    'Saves the root filesystem and every writable bind mount: all files, also what git ignores. A running environment goes on.',
  args: [environmentArg, { name: 'snapshot', description: 'Name of the snapshot; absent: the time.' }],
  flags: {
    memory: { type: 'boolean', description: 'Save what runs, too, where the provider can.' },
    'no-files': noFiles,
  },
  examples: [
    { command: 'holm snapshot create', description: "Save this folder's environment under the time." },
    { command: 'holm snapshot create web before-upgrade', description: 'Save a named one under a name.' },
  ],
  async run(input) {
    const { args, flags, host } = input
    const snapshot = await host.snapshots.create(args['name'], {
      ...callOptions(input),
      memory: flags['memory'] === true,
      files: flags['no-files'] !== true,
      ...optional('name', args['snapshot']),
    })
    return {
      data: snapshot,
      text: `${snapshot.name} of ${snapshot.environment} is saved${describeParts(snapshot)}`,
    }
  },
}

export const snapshotList: BuiltinCommand = {
  id: 'snapshot list',
  aliases: ['snapshots'],
  group,
  summary: 'List the snapshots of an environment.',
  args: [environmentArg],
  examples: [{ command: 'holm snapshot list web', description: 'What was saved, and what each has in it.' }],
  async run(input) {
    const snapshots = await input.host.snapshots.list(input.args['name'], callOptions(input))
    const now = Date.now()
    return {
      data: snapshots,
      table: {
        columns: ['name', 'age', 'memory', 'files', 'made by'],
        rows: snapshots.map((each) => [
          each.name,
          formatAge(each.createdAt, now),
          each.includesMemory ? 'yes' : 'no',
          describeFiles(each),
          each.automatic ? 'a restore' : 'you',
        ]),
        empty: 'No snapshots. Make one with holm snapshot create.',
      },
    }
  },
}

export const snapshotRestore: BuiltinCommand = {
  id: 'snapshot restore',
  group,
  summary: 'Put an environment and its project files back as they were.',
  description:
    'Files made since then are removed. What is there now is saved first, as a snapshot of its own, so nothing is lost. The ' +
    'environment is left stopped; one saved with its memory goes on running where it was.',
  args: [whose, nameArg],
  flags: { yes: yesFlag, 'no-files': noFiles },
  examples: [
    { command: 'holm snapshot restore web before-upgrade', description: 'Go back, after a question.' },
    {
      command: 'holm snapshot restore web before-upgrade -y --no-files',
      description: 'Only the environment itself, without a question.',
    },
  ],
  async run(input) {
    const { args, flags, host, terminal } = input
    const environment = args['environment'] ?? ''
    const files = flags['no-files'] !== true
    const what = files ? `${environment} and its project files` : environment
    const question = `Put ${what} back to ${args['name'] ?? ''}? What is there now is saved first.`
    if (flags['yes'] !== true && !(await terminal.confirm(question)))
      return { data: null, text: 'Nothing restored.' }
    const result = await host.snapshots.restore(environment, args['name'] ?? '', {
      ...callOptions(input),
      files,
    })
    const { name, status } = result.environment
    return {
      data: result,
      text: [
        `${name} is back at ${result.restored.name}, and ${status}`,
        `what was there before: holm snapshot restore ${name} ${result.before}`,
        ...(status === 'stopped' ? [`go on: holm start ${name}`] : []),
      ].join('\n'),
    }
  },
}

export const snapshotRemove: BuiltinCommand = {
  id: 'snapshot remove',
  group,
  summary: 'Remove a snapshot and the files that were saved with it.',
  args: [whose, nameArg],
  flags: { yes: yesFlag },
  examples: [{ command: 'holm snapshot remove web before-upgrade -y', description: 'Remove one, unasked.' }],
  async run(input) {
    const { args, flags, host, terminal } = input
    const [environment, name] = [args['environment'] ?? '', args['name'] ?? '']
    if (flags['yes'] !== true && !(await terminal.confirm(`Remove the snapshot ${name} of ${environment}?`)))
      return { data: null, text: 'Nothing removed.' }
    const removed = await host.snapshots.remove(environment, name, callOptions(input))
    return { data: removed, text: `${name} of ${environment} is removed` }
  },
}

function describeParts(snapshot: Snapshot): string {
  const files = snapshot.files?.map(({ source, sizeBytes }) => `${source} (${formatBytes(sizeBytes)})`) ?? []
  const parts = [...(snapshot.includesMemory ? ['its memory'] : []), ...files]
  return parts.length === 0 ? '' : ` with ${parts.join(', ')}`
}

function describeFiles({ files }: Snapshot): string {
  if (files === undefined) return 'no'
  return files.length === 0 ? '-' : formatBytes(files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))
}
