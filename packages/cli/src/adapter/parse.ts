import { HolmError, isHolmError } from '@holm/core'
import type { CommandInput, FlagDefinition } from '@holm/core'
import type { CommandTable } from '../builtin.ts'
import { globalFlags } from './global-flags.ts'
import { createUnknownFlagError } from './route.ts'
import type { CommandLine } from './route.ts'

export type ParsedWords = Pick<CommandInput, 'args' | 'flags' | 'rest' | 'words'>

/**
 * Parses the words after a command's id with oclif's parser. Every mistake is HOLM_USAGE.
 * oclif reads missing arguments from stdin unless told not to: stdin belongs to the command.
 */
export async function parseWords(
  table: CommandTable,
  words: readonly string[],
  rest: CommandLine['rest'],
): Promise<ParsedWords> {
  // A CommonJS module: bundled, it has a default export only.
  const { default: parser } = await import('@oclif/core/parser')
  const flags = { ...table.flags, ...globalFlags }
  const { args: tables = [] } = table
  const several = tables.at(-1)?.multiple === true
  try {
    const parsed = await parser.parse([...words], {
      args: createOclifArgs(table),
      flags: createOclifFlags(flags),
      '--': true,
      strict: !several,
    })
    return {
      args: parsed.args as ParsedWords['args'],
      flags: parsed.flags as ParsedWords['flags'],
      rest: checkRest(table, rest),
      words: several ? (parsed.argv as string[]).slice(tables.length - 1) : [],
    }
  } catch (error) {
    if (!isOclifError(error) && !isHolmError(error)) throw error
    throw createUsageError(error, table)
  }
}

type OclifInput = Parameters<typeof import('@oclif/core/parser').parse>[1]

/** oclif's shape of the arguments; also what its help reads. */
export function createOclifArgs(table: CommandTable): NonNullable<OclifInput['args']> {
  const entries = (table.args ?? []).map(({ name, description, required = false }) => {
    const parse = (input: string): Promise<string> => Promise.resolve(input)
    return [name, { name, description, required, ignoreStdin: true, input: [], type: 'option', parse }]
  })
  return Object.fromEntries(entries) as NonNullable<OclifInput['args']>
}

/** oclif's shape of the flags; also what its help reads. */
export function createOclifFlags(
  flags: Readonly<Record<string, FlagDefinition>>,
): NonNullable<OclifInput['flags']> {
  const entries = Object.entries(flags).map(([name, flag]) => {
    const shared = {
      name,
      description: flag.description,
      char: flag.char,
      default: flag.default,
      required: flag.required,
    }
    if (flag.type === 'boolean') return [name, { ...shared, type: 'boolean', allowNo: flag.default === true }]
    const { multiple = false, options } = flag
    const parse =
      flag.type === 'integer' ? parseInteger : (input: string): Promise<string> => Promise.resolve(input)
    return [name, { ...shared, type: 'option', multiple, multipleNonGreedy: true, options, input: [], parse }]
  })
  return Object.fromEntries(entries) as NonNullable<OclifInput['flags']>
}

function parseInteger(input: string, _context: unknown, flag: { name?: string }): Promise<number> {
  if (/^-?\d+$/.test(input) && Number.isSafeInteger(Number(input))) return Promise.resolve(Number(input))
  throw new HolmError('HOLM_USAGE', `--${flag.name} wants a whole number, not ${JSON.stringify(input)}`, {
    hint: `Give --${flag.name} digits only.`,
  })
}

function checkRest({ id, rest: wanted }: CommandTable, rest: CommandLine['rest']): readonly string[] {
  if (!wanted && rest !== undefined) {
    throw new HolmError('HOLM_USAGE', `holm ${id} takes no words after --`, {
      hint: `Run holm ${id} --help.`,
    })
  }
  if (wanted?.required && (rest === undefined || rest.length === 0)) {
    throw new HolmError('HOLM_USAGE', `no ${wanted.name} given`, {
      hint: `Write it after two dashes: holm ${id} -- ${wanted.name}.`,
    })
  }
  return rest ?? []
}

function isOclifError(error: unknown): error is OclifParseError {
  return error instanceof Error && 'oclif' in error
}

/** oclif's parse errors tell what was wrong by their class's own fields. */
interface OclifParseError extends Error {
  readonly flags?: readonly string[]
  readonly args?: readonly (string | { readonly name: string })[]
}

function createUsageError(error: OclifParseError | HolmError, table: CommandTable): HolmError {
  const command = `holm ${table.id}`
  const help = { hint: `Run ${command} --help.` }
  if (isHolmError(error)) return new HolmError('HOLM_USAGE', stripParsing(error.message), help)
  const { message, flags = [], args = [] }: OclifParseError = error
  const [flag] = flags
  if (flag !== undefined) return createUnknownFlagError(flag, command, listFlagSpellings(table))
  const [arg] = args
  if (typeof arg === 'string') return createUnexpectedError(arg, table)
  if (arg === undefined)
    return new HolmError('HOLM_USAGE', simplifyMessage(message), { ...help, cause: error })
  const missing = args.map((each) => (typeof each === 'string' ? each : each.name)).join(' and ')
  return new HolmError('HOLM_USAGE', `${command} needs ${missing}`, help)
}

function createUnexpectedError(word: string, table: CommandTable): HolmError {
  const hint = table.rest
    ? `Write the ${table.rest.name} after two dashes: holm ${table.id} -- ${word}.`
    : `Run holm ${table.id} --help.`
  return new HolmError('HOLM_USAGE', `unexpected argument ${JSON.stringify(word)}`, {
    hint,
    details: { argument: word },
  })
}

function listFlagSpellings(table: CommandTable): string[] {
  return Object.keys({ ...table.flags, ...globalFlags }).map((name) => `--${name}`)
}

/** oclif wraps errors of a flag's parse function: "Parsing --tail \n\t… \nSee more help with --help". */
function stripParsing(message: string): string {
  return message.replace(/^Parsing --\S+ \n\t/, '').replace(/\nSee more help with --help$/, '')
}

function simplifyMessage(message: string): string {
  const plain = stripParsing(message).replace(/^The following errors? occurred:\s*/, '')
  const text = plain.replaceAll(/\s*\n\s*/g, '; ').trim()
  return text.charAt(0).toLowerCase() + text.slice(1)
}
