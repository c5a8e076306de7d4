import { resolve } from 'node:path'
import type { PluginInfo } from '@holm/core'
import type { BuiltinCommand } from '../builtin.ts'

export const pluginsList: BuiltinCommand = {
  id: 'plugins list',
  group: 'holm',
  summary: 'List the plugins and the ones that failed to load.',
  examples: [{ command: 'holm plugins list', description: 'What is installed and where it comes from.' }],
  async run({ host }) {
    const plugins = await host.plugins.list()
    const rows = plugins.map((plugin) => [
      plugin.name,
      plugin.version,
      `${plugin.kind} ${plugin.id}`,
      plugin.origin,
      describeState(plugin),
    ])
    return {
      data: plugins,
      table: { columns: ['name', 'version', 'kind', 'origin', 'state'], rows, empty: 'No plugins.' },
    }
  },
}

export const pluginsInstall: BuiltinCommand = {
  id: 'plugins install',
  group: 'holm',
  summary: 'Install a plugin from npm, a tarball or a folder.',
  args: [
    {
      name: 'plugin',
      description: 'What npm takes: a name, name@version, a tarball, a folder.',
      required: true,
      completes: 'file',
    },
  ],
  examples: [
    { command: 'holm plugins install ./my-plugin-1.0.0.tgz', description: 'Install a packed plugin.' },
  ],
  async run({ args, host, signal }) {
    const plugin = await host.plugins.install(args['plugin'] ?? '', { signal })
    return { data: plugin, text: `installed ${plugin.name} ${plugin.version}` }
  },
}

export const pluginsLink: BuiltinCommand = {
  id: 'plugins link',
  group: 'holm',
  summary: 'Use a plugin from its folder while it is being written.',
  args: [
    {
      name: 'folder',
      description: "Folder of the plugin's package.json.",
      required: true,
      completes: 'file',
    },
  ],
  examples: [{ command: 'holm plugins link .', description: 'Use the plugin of this folder.' }],
  async run({ args, host, cwd }) {
    const plugin = await host.plugins.link(resolve(cwd, args['folder'] ?? '.'))
    return { data: plugin, text: `linked ${plugin.name} ${plugin.version}` }
  },
}

export const pluginsRemove: BuiltinCommand = {
  id: 'plugins remove',
  group: 'holm',
  summary: 'Remove an installed plugin, or forget a linked one.',
  args: [{ name: 'name', description: "Name of the plugin's package.", required: true }],
  examples: [{ command: 'holm plugins remove holm-plugin-hello', description: 'Remove a plugin.' }],
  async run({ args, host }) {
    const { name } = await host.plugins.remove(args['name'] ?? '')
    return { data: { name }, text: `removed ${name}` }
  },
}

export const pluginsNew: BuiltinCommand = {
  id: 'plugins new',
  group: 'holm',
  summary: 'Write a new plugin to start from.',
  args: [{ name: 'name', description: 'Name of its package.', required: true }],
  flags: {
    folder: {
      type: 'string',
      description: 'Where to write it; absent: a folder of that name.',
      completes: 'file',
    },
  },
  examples: [
    {
      command: 'holm plugins new holm-plugin-hello',
      description: 'Write a plugin with a command, a hook and a test.',
    },
  ],
  async run({ args, flags, host, cwd }) {
    const name = args['name'] ?? ''
    const folder = resolve(
      cwd,
      typeof flags['folder'] === 'string' ? flags['folder'] : (name.split('/').at(-1) ?? name),
    )
    const made = await host.plugins.create({ folder, name })
    return { data: made, text: [`wrote ${made.folder}`, ...made.files.map((file) => `  ${file}`)].join('\n') }
  },
}

function describeState({ error }: PluginInfo): string {
  if (error === undefined) return 'ok'
  return [error.code, error.message, error.hint].filter((part) => part !== undefined).join(': ')
}
