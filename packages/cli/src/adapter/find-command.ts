import { indentOf } from '../output/result.ts'
import type { CommandDefinition } from '@holm/core'
import type { BuiltinCommand, CommandTable } from '../builtin.ts'
import type { Run } from '../cli.ts'
import { builtins } from '../commands/index.ts'
import { createUnknownCommandError, findRoute } from './route.ts'
import type { Route } from './route.ts'

export type FoundCommand =
  | { readonly kind: 'help'; readonly text: string }
  | {
      readonly kind: 'command'
      readonly definition: CommandDefinition | BuiltinCommand
      readonly words: readonly string[]
    }

type FindOptions = Pick<Run, 'line' | 'host' | 'style' | 'streams'>

/** The command that a line means, or the help it asks for. Plugins are looked at only when no built-in fits. */
export async function findCommand(options: FindOptions): Promise<FoundCommand> {
  const { line, host } = options
  const asksHelp = line.words[0] === 'help'
  const words = asksHelp ? line.words.slice(1) : line.words
  const route = await findAnyRoute(words, options)
  if (asksHelp || line.globals.has('help') || route.kind === 'topic') {
    return { kind: 'help', text: await renderHelp(route, options) }
  }
  const builtin = builtins.find(({ id }) => id === route.table.id)
  const definition = builtin ?? (await host.load(route.table.id))
  return { kind: 'command', definition, words: route.words }
}

async function findAnyRoute(words: readonly string[], { host }: FindOptions): Promise<Route> {
  const builtin = findRoute(words, builtins)
  if (builtin?.kind === 'command') return builtin
  const tables = await host.listTables()
  const route = findRoute(words, tables)
  if (!route) throw createUnknownCommandError(words, tables)
  return route
}

async function renderHelp(route: Route, { line, style, streams }: FindOptions): Promise<string> {
  if (line.globals.has('json')) return JSON.stringify(describeRoute(route), null, indentOf(streams.stdout))
  const help = await import('./help.ts')
  const { isTTY, columns } = streams.stdout
  const options = {
    style,
    width: Math.min(isTTY ? (columns ?? 80) : 100, 100),
    colors: style.strong('x') !== 'x',
  }
  if (route.kind === 'command') return help.renderCommandHelp(route.table, options)
  if (route.topic === '') return help.renderRootHelp(route.commands, options)
  return help.renderTopicHelp(route.topic, route.commands, options)
}

function describeRoute(route: Route): unknown {
  return route.kind === 'command'
    ? describeTable(route.table)
    : route.commands.filter((table) => !table.hidden).map(describeTable)
}

function describeTable(table: CommandTable): CommandTable {
  const { run: _run, hostless: _hostless, ...shown } = table as BuiltinCommand
  return shown
}
