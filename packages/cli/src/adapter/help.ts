import { commandGroups } from '../builtin.ts'
import type { CommandTable } from '../builtin.ts'
import { createOclifArgs, createOclifFlags } from './parse.ts'
import { globalFlags } from './global-flags.ts'
import { renderUsage } from '../reference/usage.ts'
import type { Style } from '../output/style.ts'
import { padText } from '../output/width.ts'

export interface HelpOptions {
  readonly width: number
  readonly style: Style
  readonly colors: boolean
}

/** Help of one command, laid out by oclif from the definition alone: no plugin is imported. */
export async function renderCommandHelp(table: CommandTable, options: HelpOptions): Promise<string> {
  const { default: help } = await import('@oclif/core/help')
  const flags = { ...createOclifFlags(table.flags ?? {}), ...groupFlags(createOclifFlags(globalFlags)) }
  const command = {
    id: table.id,
    description: table.description,
    aliases: [...(table.aliases ?? [])],
    hiddenAliases: [],
    args: createOclifArgs(table),
    flags,
    usage: renderUsage(table),
    examples: [...table.examples],
  }
  const config = { bin: 'holm', topicSeparator: ' ', platform: process.platform, shell: '' }
  const settings = { maxWidth: options.width, stripAnsi: !options.colors, flagSortOrder: 'none' }
  const page = new help.CommandHelp(command as never, config as never, settings as never)
  // oclif renders texts as EJS templates; a manifest's text must never run as one.
  page.render = (text) => text.replaceAll('<%= command.id %>', table.id)
  return `${table.summary}\n\n${page.generate()}`
}

function groupFlags<T extends object>(flags: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [name, { ...flag, helpGroup: 'GLOBAL' }]),
  )
}

/** `holm --help`: commands by group, those of plugins last. */
export function renderRootHelp(tables: readonly CommandTable[], { style }: HelpOptions): string {
  const visible = tables.filter(({ hidden }) => !hidden)
  const pad = Math.max(...visible.map(({ id }) => id.length))
  const list = (title: string, group: readonly CommandTable[]): string[] =>
    group.length === 0 ? [] : ['', style.heading(title), ...group.map((table) => renderLine(table, pad))]
  return [
    'One blueprint, one command: a place to work, on any runtime.',
    '',
    style.heading('USAGE'),
    '  $ holm COMMAND [ARGUMENTS] [FLAGS]',
    ...commandGroups.flatMap((group) =>
      list(
        group.toUpperCase(),
        visible.filter((table) => table.group === group),
      ),
    ),
    ...list(
      'PLUGINS',
      visible.filter((table) => table.group === undefined),
    ),
    '',
    style.heading('START HERE'),
    '  $ holm init      write a blueprint for this folder',
    '  $ holm up        bring the environment up',
    '  $ holm shell     work in it',
    '',
    'holm COMMAND --help tells more about a command.',
  ].join('\n')
}

/** `holm blueprint`: the commands of one topic. */
export function renderTopicHelp(
  topic: string,
  tables: readonly CommandTable[],
  { style }: HelpOptions,
): string {
  const visible = tables.filter(({ hidden }) => !hidden)
  const pad = Math.max(0, ...visible.map(({ id }) => id.length))
  return [
    style.heading('USAGE'),
    `  $ holm ${topic} COMMAND`,
    '',
    style.heading('COMMANDS'),
    ...visible.map((table) => renderLine(table, pad)),
  ].join('\n')
}

function renderLine({ id, summary }: CommandTable, pad: number): string {
  return `  ${padText(id, pad)}  ${summary}`
}
