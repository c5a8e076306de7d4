import type { ArgDefinition, FlagDefinition, HostApi } from '@holm/core'
import type { CommandTable } from '../builtin.ts'
import { globalFlags } from '../adapter/global-flags.ts'
import { findRoute } from '../adapter/route.ts'

export interface Candidate {
  readonly value: string
  readonly description: string
}

export interface Completion {
  readonly candidates: readonly Candidate[]
  /** The shell offers its own file names as well. */
  readonly files: boolean
}

export interface CompletionOptions {
  readonly tables: readonly CommandTable[]
  /** Opened only when names of environments, blueprints, providers or bases are asked for. */
  readonly openHost: () => Promise<HostApi>
}

type Completes = ArgDefinition['completes']

const nothing: Completion = { candidates: [], files: false }

/** What may stand where the last of the words is being typed. `words` are those after `holm`. */
export async function completeWords(
  words: readonly string[],
  options: CompletionOptions,
): Promise<Completion> {
  const typed = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  if (before.includes('--')) return { candidates: [], files: true }
  const visible = options.tables.filter(({ hidden }) => !hidden)
  const route = findRoute(before, visible)
  if (!route) return nothing
  if (route.kind === 'topic') return completeCommands(before, typed, visible)
  return completeArguments({ table: route.table, before: route.words, typed }, options)
}

/** The next word of every command that begins with the words so far, and global flags. */
function completeCommands(
  before: readonly string[],
  typed: string,
  tables: readonly CommandTable[],
): Completion {
  if (typed.startsWith('-')) return matching(typed, listFlags(globalFlags))
  const prefix = before.length === 0 ? '' : `${before.join(' ')} `
  const next = new Map<string, string>()
  for (const { id, aliases = [], summary } of tables) {
    for (const name of [id, ...aliases].filter((each) => each.startsWith(prefix))) {
      const [word = '', ...more] = name.slice(prefix.length).split(' ')
      if (!next.has(word)) next.set(word, more.length === 0 ? summary : `Commands about ${word}.`)
    }
  }
  return matching(
    typed,
    Array.from(next, ([value, description]) => ({ value, description })),
  )
}

interface Position {
  readonly table: CommandTable
  readonly before: readonly string[]
  readonly typed: string
}

async function completeArguments(
  { table, before, typed }: Position,
  options: CompletionOptions,
): Promise<Completion> {
  const flags: Readonly<Record<string, FlagDefinition>> = { ...table.flags, ...globalFlags }
  const [inline] = typed.startsWith('--') && typed.includes('=') ? typed.split('=') : []
  const waiting = findFlag(inline ?? before.at(-1) ?? '', flags)
  if (waiting && waiting.type !== 'boolean') {
    const prefix = inline === undefined ? '' : `${inline}=`
    return completeFlag(waiting, { prefix, typed: typed.slice(prefix.length) }, options)
  }
  if (typed.startsWith('-')) return matching(typed, listFlags(flags))
  const arg = argumentAt(table, countArguments(before, flags))
  if (arg) return completeKind(arg.completes, typed, options)
  return table.rest ? matching(typed, [{ value: '--', description: table.rest.description }]) : nothing
}

/** One that takes several is meant by every word after it, too. */
function argumentAt({ args = [] }: CommandTable, index: number): ArgDefinition | undefined {
  return args[index] ?? args.findLast(({ multiple }) => multiple)
}

interface FlagValue {
  /** `--provider=` when the value is glued to the flag. */
  readonly prefix: string
  readonly typed: string
}

async function completeFlag(
  flag: FlagDefinition,
  { prefix, typed }: FlagValue,
  options: CompletionOptions,
): Promise<Completion> {
  const found = flag.options
    ? matching(
        typed,
        flag.options.map((value) => ({ value, description: '' })),
      )
    : await completeKind(flag.completes, typed, options)
  return { ...found, candidates: found.candidates.map((each) => ({ ...each, value: prefix + each.value })) }
}

async function completeKind(
  kind: Completes,
  typed: string,
  { openHost }: CompletionOptions,
): Promise<Completion> {
  if (kind === undefined) return nothing
  if (kind === 'file') return { candidates: [], files: true }
  const candidates = await listers[kind](await openHost())
  return { ...matching(typed, candidates), files: kind === 'blueprint' }
}

type Named = Exclude<Completes, 'file' | undefined>

const listers: Readonly<Record<Named, (host: HostApi) => Promise<Candidate[]>>> = {
  environment: async (host) =>
    (await host.list()).map(({ name, status, provider }) => ({
      value: name,
      description: `${status} on ${provider}`,
    })),
  image: async (host) =>
    (await host.images.list()).map(({ name, blueprint, provider }) => ({
      value: name,
      description: `${blueprint} on ${provider}`,
    })),
  blueprint: async (host) =>
    (await host.blueprints.list()).map(({ name, description }) => ({ value: name, description })),
  provider: async (host) =>
    (await host.providers.list()).map(({ id, traits }) => ({
      value: id,
      description: traits?.isolation ?? '',
    })),
  base: async (host) =>
    (await host.bases.list()).map(({ name, description }) => ({ value: name, description })),
}

function listFlags(flags: Readonly<Record<string, FlagDefinition>>): Candidate[] {
  return Object.entries(flags).map(([name, { description }]) => ({ value: `--${name}`, description }))
}

function findFlag(word: string, flags: Readonly<Record<string, FlagDefinition>>): FlagDefinition | undefined {
  if (!word.startsWith('-')) return undefined
  const entry = Object.entries(flags).find(
    ([name, { char }]) => word === `--${name}` || (char && word === `-${char}`),
  )
  return entry?.[1]
}

/** Words that are arguments: neither flags nor the values of flags. */
function countArguments(words: readonly string[], flags: Readonly<Record<string, FlagDefinition>>): number {
  const isArgument = (word: string, index: number): boolean => {
    const previous = findFlag(words[index - 1] ?? '', flags)
    return !word.startsWith('-') && (!previous || previous.type === 'boolean')
  }
  return words.filter(isArgument).length
}

function matching(typed: string, candidates: readonly Candidate[]): Completion {
  return { candidates: candidates.filter(({ value }) => value.startsWith(typed)), files: false }
}

/** One candidate a line, a tab before its description; `:files` as the last line asks for file names too. */
export function renderCompletion({ candidates, files }: Completion): string {
  const lines = candidates.map(({ value, description }) => `${value}\t${description.replaceAll(/\s+/g, ' ')}`)
  return [...lines, ...(files ? [':files'] : [])].join('\n')
}
