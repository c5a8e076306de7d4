import type { BuildResult } from '@holm/core'
import type { BuiltinCommand } from '../builtin.ts'
import { formatDuration } from '../output/units.ts'
import { renderFacts } from '../output/views.ts'
import { optional, readText } from './shared.ts'

export const build: BuiltinCommand = {
  id: 'build',
  group: 'Images and copies',
  summary: 'Install what a blueprint asks for once, and keep the result for every up.',
  description:
    'Makes a golden image: a hidden, stopped environment with the packages, tools and scripts of the blueprint. `holm up` clones it ' +
    'instead of installing anything, as long as the blueprint installs the same from the same base.',
  args: [
    {
      name: 'blueprint',
      description: "A built-in's name, a file or a folder; absent: the blueprint of the current folder.",
      completes: 'blueprint',
    },
  ],
  flags: {
    provider: { type: 'string', char: 'p', description: 'Build it on this provider.', completes: 'provider' },
    base: {
      type: 'string',
      char: 'b',
      description: "Use this base instead of the blueprint's.",
      completes: 'base',
    },
    docker: { type: 'boolean', description: 'With a Docker engine in it, for `holm up --docker`.' },
    'no-cache': { type: 'boolean', description: 'Build it again, and replace the image that is there.' },
  },
  examples: [
    { command: 'holm build', description: "Build this folder's blueprint." },
    { command: 'holm build python-dev -p docker', description: 'Build a built-in blueprint on Docker.' },
    { command: 'holm build --no-cache', description: 'Install everything again, in its newest version.' },
  ],
  async run(input) {
    const { args, flags, host, signal, cwd } = input
    const result = await host.build({
      cwd,
      signal,
      ...(flags['docker'] === true && { docker: true }),
      noCache: flags['no-cache'] === true,
      ...optional('blueprint', args['blueprint']),
      ...optional('provider', readText(input, 'provider')),
      ...optional('base', readText(input, 'base')),
    })
    return { data: result, text: flags['quiet'] === true ? result.image.name : renderBuild(result) }
  },
}

const words: Readonly<Record<BuildResult['outcome'], string>> = {
  built: 'is built',
  rebuilt: 'is built anew',
  present: 'is there already',
}

function renderBuild({ image, outcome }: BuildResult): string {
  return [
    `${image.name} ${words[outcome]} on ${image.provider}`,
    renderFacts([
      ['saves', `${formatDuration(image.tookMs)} at each up`],
      ['use', 'holm up'],
    ]),
  ].join('\n')
}
