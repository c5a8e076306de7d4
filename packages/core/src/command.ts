import type { HostApi } from './host-api.ts'

/**
 * A command as data: the CLI builds parsing, help, completion, man pages and the reference from it. A command parses
 * nothing and prints nothing: it calls the host and returns what is to be shown.
 */
export interface CommandDefinition {
  /** Words separated by spaces: "up", "blueprint list". */
  readonly id: string
  /** Other words for the same. */
  readonly aliases?: readonly string[]
  readonly summary: string
  readonly description?: string
  readonly examples: readonly { readonly command: string; readonly description: string }[]
  readonly args?: readonly ArgDefinition[]
  readonly flags?: Readonly<Record<string, FlagDefinition>>
  /** Words after `--` belong to the command and arrive as `input.rest`. */
  readonly rest?: { readonly name: string; readonly description: string; readonly required: boolean }
  readonly hidden?: boolean
  run(input: CommandInput): Promise<CommandResult | void>
}

export interface ArgDefinition {
  readonly name: string
  readonly description: string
  readonly required?: boolean
  /** The last one only: takes all words that are left, which arrive as `input.words`; `input.args` has the first of them. */
  readonly multiple?: boolean
  /** What completion offers. */
  readonly completes?: 'environment' | 'image' | 'blueprint' | 'provider' | 'base' | 'file'
}

export interface FlagDefinition {
  readonly type: 'boolean' | 'string' | 'integer'
  readonly description: string
  readonly char?: string
  readonly default?: string | number | boolean
  readonly multiple?: boolean
  readonly options?: readonly string[]
  readonly completes?: ArgDefinition['completes']
  readonly required?: boolean
}

export interface CommandInput {
  readonly args: Readonly<Record<string, string | undefined>>
  readonly flags: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>
  readonly rest: readonly string[]
  /** Those of the argument that takes several; empty without one. */
  readonly words: readonly string[]
  readonly host: HostApi
  /** Fires at Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal
  readonly terminal: Terminal
  readonly cwd: string
}

/** What a command may know of and ask from the person. */
export interface Terminal {
  /** Both stdin and stdout are a terminal and `--json` is off. */
  readonly interactive: boolean
  readonly json: boolean
  readonly verbose: boolean
  /** Asks yes or no; HOLM_CONFIRMATION_REQUIRED where nobody can be asked. */
  confirm(question: string): Promise<boolean>
  /** Asks to choose one; throws the given error where nobody can be asked. */
  choose(question: string, choices: readonly string[], otherwise: Error): Promise<string>
}

export interface CommandResult {
  /** The JSON document of `--json`. An async iterable becomes NDJSON. */
  readonly data: unknown
  /** What a person reads; absent: the data as JSON. */
  readonly text?: string
  readonly table?: Table
  readonly exitCode?: number
  /** At a terminal this is shown instead, on a screen of its own. */
  readonly live?: LiveTable
  /** Goes on with this command line of holm's own, whose result then counts; nothing of this one is shown. */
  readonly next?: readonly string[]
}

export interface Table {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** Said when there are no rows. */
  readonly empty?: string
}

/** A table that is shown until a key leaves it, with keys for its rows. */
export interface LiveTable {
  /** As it is now; asked at most once at a time. */
  read(): Promise<Table>
  readonly intervalMs: number
  readonly keys: readonly LiveKey[]
}

export interface LiveKey {
  /** One character. */
  readonly key: string
  readonly label: string
  /** Enter does it, too. */
  readonly isDefault?: boolean
  /** A command line of holm's own for the row, by its first cell; the table comes back after it. */
  next(name: string): readonly string[]
}
