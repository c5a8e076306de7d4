import type { GoldenImage, PruneOptions, Table } from '@holm/core'
import type { BuiltinCommand } from '../builtin.ts'
import { formatAge, formatDuration } from '../output/units.ts'
import { renderFacts } from '../output/views.ts'
import { parseAge } from './quantities.ts'
import { optional, readText, yesFlag } from './shared.ts'

const group = 'Images and copies'
const nameArg = {
  name: 'image',
  description: 'Name of the image, or the first digits of its hash.',
  required: true,
  completes: 'image',
} as const

export const imageList: BuiltinCommand = {
  id: 'image list',
  aliases: ['images'],
  group,
  summary: 'List the golden images of this machine.',
  examples: [{ command: 'holm image list', description: 'What was built, when it was used, and by whom.' }],
  async run({ host, signal }) {
    const images = await host.images.list({ signal })
    return { data: images, table: tableOf(images) }
  },
}

export const imageShow: BuiltinCommand = {
  id: 'image show',
  group,
  summary: 'Show one golden image.',
  args: [nameArg],
  examples: [
    { command: 'holm image show golden-3f2a9c1b7d40', description: 'Where it came from and who uses it.' },
  ],
  async run({ args, host, signal }) {
    const image = await host.images.show(args['image'] ?? '', { signal })
    return { data: image, text: renderImage(image) }
  },
}

export const imageRemove: BuiltinCommand = {
  id: 'image remove',
  group,
  summary: 'Remove a golden image; environments made from it live on.',
  args: [nameArg],
  flags: { yes: yesFlag },
  examples: [
    { command: 'holm image remove 3f2a9c -y', description: 'Remove one by the digits of its hash.' },
  ],
  async run({ args, flags, host, signal, terminal }) {
    const image = await host.images.show(args['image'] ?? '', { signal })
    if (flags['yes'] !== true && !(await terminal.confirm(`Remove ${image.name} (${image.blueprint})?`)))
      return { data: { removed: [] }, text: 'Nothing removed.' }
    await host.images.remove(image.name, { signal })
    return { data: { removed: [image] }, text: `${image.name} is removed` }
  },
}

export const imagePrune: BuiltinCommand = {
  id: 'image prune',
  group,
  summary: 'Remove golden images that no environment was made from.',
  description: 'Says first what would be removed. What an interrupted build left always goes, too.',
  flags: {
    yes: yesFlag,
    'older-than': { type: 'string', description: 'Only those not used for this long: 30d, 12h, 2w.' },
    all: {
      type: 'boolean',
      char: 'a',
      description: 'Also those that environments were made from: they live on without.',
    },
  },
  examples: [
    { command: 'holm image prune --older-than 30d', description: 'Remove what was not used for a month.' },
    { command: 'holm image prune --all -y', description: 'Remove every golden image, without a question.' },
  ],
  async run(input) {
    const { flags, host, signal, terminal } = input
    const age = readText(input, 'older-than')
    const options: PruneOptions = {
      signal,
      all: flags['all'] === true,
      ...optional('olderThanMs', age === undefined ? undefined : parseAge(age, 'older-than')),
    }
    const { removed: chosen, kept } = await host.images.prune({ ...options, dryRun: true })
    if (chosen.length === 0) return { data: { removed: [], kept }, text: 'Nothing to remove.' }
    const names = chosen.map(({ name, blueprint }) => `${name} (${blueprint})`).join(', ')
    if (flags['yes'] !== true && !(await terminal.confirm(`Remove ${names}?`)))
      return { data: { removed: [], kept: [...kept, ...chosen] }, text: 'Nothing removed.' }
    const result = await host.images.prune(options)
    return { data: result, text: result.removed.map(({ name }) => `${name} is removed`).join('\n') }
  },
}

function tableOf(images: readonly GoldenImage[]): Table {
  const now = Date.now()
  return {
    columns: ['name', 'status', 'provider', 'blueprint', 'age', 'used', 'environments'],
    rows: images.map((image) => [
      image.name,
      image.status,
      image.provider,
      image.blueprint,
      formatAge(image.createdAt, now),
      formatAge(image.usedAt, now),
      image.environments.join(' '),
    ]),
    empty: 'No golden images. Make one with holm build.',
  }
}

function renderImage(image: GoldenImage): string {
  return renderFacts([
    ['name', image.name],
    ['status', image.status],
    ['hash', image.hash],
    ['provider', image.provider],
    ['blueprint', image.source === '' ? image.blueprint : `${image.blueprint} (${image.source})`],
    ['created', image.createdAt],
    ['used', image.usedAt],
    ['saves', image.tookMs === 0 ? undefined : formatDuration(image.tookMs)],
    ['environments', image.environments.join('\n')],
  ])
}
