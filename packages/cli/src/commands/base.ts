import type { BaseEntry } from '@holm/core'
import type { BuiltinCommand, BuiltinInput } from '../builtin.ts'
import { formatBytes } from '../output/units.ts'
import { optional, readText } from './shared.ts'

const group = 'Blueprints and bases'
const nameArg = { name: 'name', description: 'Name of the base.', required: true, completes: 'base' } as const
const newNameArg = { name: 'name', description: 'Name to register it under.', required: true } as const
const sourceArg = { name: 'source', required: true, completes: 'file' } as const

const diskFlag = {
  type: 'boolean',
  description:
    "It is the disk of a machine; without it that is told by the file's ending (.qcow2, .img, .raw).",
} as const

function diskOf(flags: BuiltinInput['flags']): { readonly disk?: true } {
  return flags['disk'] === true ? { disk: true } : {}
}

export const baseList: BuiltinCommand = {
  id: 'base list',
  group,
  summary: 'List the bases a blueprint can start from.',
  examples: [{ command: 'holm base list', description: 'The catalogue and what is on this machine.' }],
  async run({ host }) {
    const entries = await host.bases.list()
    const rows = entries.map((entry) => [entry.name, entry.origin, describeForms(entry), entry.description])
    return {
      data: entries,
      table: { columns: ['name', 'origin', 'forms', 'description'], rows, empty: 'No bases.' },
    }
  },
}

export const baseAdd: BuiltinCommand = {
  id: 'base add',
  group,
  summary: 'Register a local tarball, folder, disk or image under a name; nothing is copied.',
  args: [newNameArg, { ...sourceArg, description: 'A tarball, a folder, a disk, or an image reference.' }],
  flags: { disk: diskFlag },
  examples: [
    {
      command: 'holm base add work ./rootfs.tar.zst',
      description: 'Use a tarball of your own on every provider.',
    },
  ],
  async run({ args, flags, host }) {
    const entry = await host.bases.add(args['name'] ?? '', args['source'] ?? '', diskOf(flags))
    return { data: entry, text: renderEntry('added', entry) }
  },
}

export const baseImport: BuiltinCommand = {
  id: 'base import',
  group,
  summary: 'Copy a tarball or disk, or download one, into the cache.',
  description: 'A broken download is taken up where it stopped; the checksum is verified.',
  args: [
    newNameArg,
    {
      ...sourceArg,
      description: 'A tarball, a disk, a URL, a name of the catalogue, or download:<distribution>/<release>.',
    },
  ],
  flags: { sha256: { type: 'string', description: 'Checksum it must have.' }, disk: diskFlag },
  examples: [
    {
      command: 'holm base import debian-12 ./debian-12.tar.xz',
      description: 'Keep a copy that serves every provider.',
    },
    {
      command: 'holm base import debian-cloud debian-12 --disk',
      description: 'Download the disk that Debian publishes for machines, with the checksum it publishes.',
    },
  ],
  async run(input) {
    const { args, host, signal } = input
    const options = { signal, ...optional('sha256', readText(input, 'sha256')), ...diskOf(input.flags) }
    const entry = await host.bases.import(args['name'] ?? '', args['source'] ?? '', options)
    return { data: entry, text: renderEntry('imported', entry) }
  },
}

export const baseBuild: BuiltinCommand = {
  id: 'base build',
  group,
  summary: "Build a root filesystem from the distribution's packages.",
  args: [nameArg],
  flags: {
    include: { type: 'string', multiple: true, description: 'Also install this package. Repeatable.' },
    mirror: { type: 'string', description: 'Take packages from this mirror.' },
    as: { type: 'string', description: 'Register it under this name.' },
  },
  examples: [
    {
      command: 'holm base build debian-12 --include git',
      description: 'A Debian with git, for every provider.',
    },
  ],
  async run(input) {
    const { args, flags, host, signal } = input
    const include = flags['include'] as readonly string[] | undefined
    const places = {
      ...optional('mirror', readText(input, 'mirror')),
      ...optional('as', readText(input, 'as')),
    }
    const entry = await host.bases.build(args['name'] ?? '', {
      signal,
      ...optional('include', include),
      ...places,
    })
    return { data: entry, text: renderEntry('built', entry) }
  },
}

export const baseRemove: BuiltinCommand = {
  id: 'base remove',
  group,
  summary: 'Forget a local base and remove its cached files.',
  args: [nameArg],
  examples: [{ command: 'holm base remove work', description: 'Forget a base that base add registered.' }],
  async run({ args, host }) {
    const entry = await host.bases.remove(args['name'] ?? '')
    return { data: entry, text: `removed ${entry.name}` }
  },
}

function describeForms({ image, rootfs, folder, disk, recipe }: BaseEntry): string {
  const forms = [
    image && 'image',
    rootfs && `rootfs ${formatBytes(rootfs.sizeBytes)}`,
    folder && 'folder',
    disk && `disk ${disk.format} ${formatBytes(disk.sizeBytes)}`,
    recipe && 'recipe',
  ]
  return forms.filter((form) => form !== undefined && form !== '').join(', ')
}

function renderEntry(verb: string, entry: BaseEntry): string {
  return `${verb} ${entry.name}: ${entry.rootfs?.path ?? entry.disk?.path ?? entry.folder ?? entry.image ?? entry.description}`
}
