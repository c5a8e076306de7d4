import { HolmError } from '@holm/core'
import type { CommandTable } from '../builtin.ts'
import { readGlobalFlag } from './global-flags.ts'
import type { GlobalFlag } from './global-flags.ts'
import { askDidYouMean } from './suggest.ts'

/** The words of a command line before anything is known of the command. */
export interface CommandLine {
  /** Words before `--`, global flags that preceded the command moved behind it. */
  readonly words: readonly string[]
  /** Words after the first `--`; undefined without one. */
  readonly rest: readonly string[] | undefined
  /** Global flags, wherever they stand before `--`. */
  readonly globals: ReadonlySet<GlobalFlag>
}

export function parseCommandLine(argv: readonly string[]): CommandLine {
  const dashes = argv.indexOf('--')
  const before = dashes === -1 ? argv : argv.slice(0, dashes)
  const first = countGlobals(before)
  // Between a topic and its command: `holm blueprint --json list`.
  const second = first + 1 + countGlobals(before.slice(first + 1))
  const globals = before.map(readGlobalFlag).filter((flag) => flag !== undefined)
  return {
    words: [
      ...before.slice(first, first + 1),
      ...before.slice(second),
      ...(first === before.length ? [] : [...before.slice(0, first), ...before.slice(first + 1, second)]),
    ],
    rest: dashes === -1 ? undefined : argv.slice(dashes + 1),
    globals: new Set(globals),
  }
}

/** How many words from the first on are flags of the whole of holm. */
function countGlobals(words: readonly string[]): number {
  const index = words.findIndex((word) => readGlobalFlag(word) === undefined)
  return index === -1 ? words.length : index
}

export type Route =
  | { readonly kind: 'command'; readonly table: CommandTable; readonly words: readonly string[] }
  /** The first words of several commands, such as `blueprint`; empty for the whole of holm. */
  | { readonly kind: 'topic'; readonly topic: string; readonly commands: readonly CommandTable[] }

/** Finds the command with the longest id that the words begin with; undefined when there is none. */
export function findRoute(words: readonly string[], tables: readonly CommandTable[]): Route | undefined {
  if (words.length === 0) return { kind: 'topic', topic: '', commands: tables }
  const byName = new Map(
    tables.flatMap((table) => [table.id, ...(table.aliases ?? [])].map((id) => [id, table])),
  )
  const longest = Math.max(...tables.map(({ id }) => id.split(' ').length))
  for (let count = Math.min(longest, words.length); count > 0; count--) {
    const table = byName.get(words.slice(0, count).join(' '))
    if (table) return { kind: 'command', table, words: words.slice(count) }
  }
  return findTopic(words, tables)
}

function findTopic(words: readonly string[], tables: readonly CommandTable[]): Route | undefined {
  const topic = words[0] ?? ''
  const commands = tables.filter(({ id, aliases = [] }) =>
    [id, ...aliases].some((name) => name.startsWith(`${topic} `)),
  )
  const next = words[1]
  if (commands.length === 0 || (next !== undefined && !next.startsWith('-'))) return undefined
  return { kind: 'topic', topic, commands }
}

/** HOLM_USAGE for words that are no command, with the nearest ones as the hint. */
export function createUnknownCommandError(
  words: readonly string[],
  tables: readonly CommandTable[],
): HolmError {
  const [first = '', second] = words
  if (first.startsWith('-')) return createUnknownFlagError(first, 'holm', ['--version', '--help'])
  const visible = tables.filter(({ hidden }) => !hidden)
  const names = visible.flatMap(({ id, aliases = [] }) => [id, ...aliases])
  const members = names.filter((name) => name.startsWith(`${first} `))
  const inTopic = second !== undefined && members.length > 0
  const prefix = inTopic ? `${first} ` : ''
  const tried = inTopic ? second : first
  const candidates = new Set(
    (inTopic ? members : names).map((name) => name.slice(prefix.length).split(' ')[0] ?? ''),
  )
  return new HolmError('HOLM_USAGE', `unknown command ${JSON.stringify(prefix + tried)}`, {
    hint: askDidYouMean(tried, [...candidates], prefix) ?? `Run holm ${prefix}--help to see the commands.`,
    details: { command: prefix + tried },
  })
}

export function createUnknownFlagError(
  flag: string,
  command: string,
  candidates: readonly string[],
): HolmError {
  const name = flag.split('=')[0] ?? flag
  return new HolmError('HOLM_USAGE', `unknown flag ${JSON.stringify(name)}`, {
    hint: askDidYouMean(name, candidates) ?? `Run ${command} --help to see the flags.`,
    details: { flag: name },
  })
}
