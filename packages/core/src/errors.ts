/**
 * The one error class of holm and the one table of its codes. Exit codes and docs/reference/errors.md are generated
 * from the table. A plain `Error` that reaches a user is a bug in holm.
 */

/** Code to exit code and meaning. Families share an exit code (docs/reference/errors.md). */
export const errorTable = {
  HOLM_USAGE: { exit: 2, meaning: 'A flag, an argument or a command is wrong.' },
  HOLM_NAME_INVALID: {
    exit: 2,
    meaning: 'The name of an environment, base or plugin has a form that cannot be used.',
  },
  HOLM_CONFIRMATION_REQUIRED: {
    exit: 2,
    meaning: 'A destructive command needs `--yes` where nobody can be asked.',
  },
  HOLM_CONFIG_INVALID: { exit: 3, meaning: 'A configuration file or value is wrong.' },
  HOLM_CONFIG_UNREADABLE: { exit: 3, meaning: 'A configuration or state folder cannot be read or written.' },
  HOLM_BLUEPRINT_NOT_FOUND: { exit: 3, meaning: 'No blueprint of that name or in that folder.' },
  HOLM_BLUEPRINT_SYNTAX: { exit: 3, meaning: 'The blueprint is not valid YAML, JSON or TOML.' },
  HOLM_BLUEPRINT_INVALID: {
    exit: 3,
    meaning: 'The blueprint has an unknown key, a wrong type or a wrong value.',
  },
  HOLM_BLUEPRINT_UNSUPPORTED: {
    exit: 3,
    meaning: 'The blueprint asks for something this version cannot do; nothing was applied.',
  },
  HOLM_BLUEPRINT_AMBIGUOUS: { exit: 3, meaning: 'Several blueprints could be meant; choose one.' },
  HOLM_BLUEPRINT_CYCLE: {
    exit: 3,
    meaning: 'Blueprints extend each other, or services depend on each other, in a circle.',
  },
  HOLM_BLUEPRINT_PARENT_MISSING: { exit: 3, meaning: 'A blueprint extends another that cannot be found.' },
  HOLM_SECRET_MISSING: { exit: 3, meaning: 'A secret is referred to and cannot be read.' },
  HOLM_BASE_NOT_FOUND: { exit: 3, meaning: 'No base of that name.' },
  HOLM_BASE_INVALID: { exit: 3, meaning: 'A base is damaged, or is no root filesystem.' },
  HOLM_PLUGIN_NOT_FOUND: { exit: 4, meaning: 'No plugin of that name or kind and id.' },
  HOLM_PLUGIN_INVALID: { exit: 4, meaning: 'The package is no holm plugin, or its manifest is wrong.' },
  HOLM_PLUGIN_DUPLICATE: { exit: 4, meaning: 'Two plugins have one id.' },
  HOLM_PLUGIN_CONTRACT: { exit: 4, meaning: 'The plugin was written for another version of the contract.' },
  HOLM_PLUGIN_PLATFORM: { exit: 4, meaning: 'The plugin does not run on this operating system.' },
  HOLM_PLUGIN_LOAD: { exit: 4, meaning: 'The plugin threw while it was imported.' },
  HOLM_PLUGIN_SETUP: { exit: 4, meaning: 'The plugin threw in its setup.' },
  HOLM_PLUGIN_CRASH: {
    exit: 4,
    meaning:
      'The plugin threw where nobody could catch it: in a timer, or in a promise that nobody waits for.',
  },
  HOLM_PLUGIN_HOOK: { exit: 4, meaning: 'A tap of the plugin threw.' },
  HOLM_PLUGIN_INSTALL: { exit: 4, meaning: 'The plugin could not be installed.' },
  HOLM_HOOK_VETO: { exit: 4, meaning: 'A plugin refused the operation.' },
  HOLM_PROVIDER_UNAVAILABLE: {
    exit: 5,
    meaning: 'The runtime is not installed, not running, or may not be used by this user.',
  },
  HOLM_PROVIDER_NONE: { exit: 5, meaning: 'No usable provider fits what the blueprint needs.' },
  HOLM_TOOL_MISSING: { exit: 5, meaning: 'A program that is needed is not on PATH.' },
  HOLM_FACET_UNSUPPORTED: { exit: 6, meaning: 'The provider does not have this facet.' },
  HOLM_ENVIRONMENT_NOT_FOUND: { exit: 7, meaning: 'No environment of that name.' },
  HOLM_ENVIRONMENT_CONFLICT: { exit: 7, meaning: 'The name is taken by another environment.' },
  HOLM_ENVIRONMENT_BUSY: { exit: 7, meaning: 'Another holm process is working on this environment.' },
  HOLM_ENVIRONMENT_NOT_RUNNING: { exit: 7, meaning: 'The environment is not running.' },
  HOLM_ENVIRONMENT_RUNNING: { exit: 7, meaning: 'The environment is running, and must be stopped for this.' },
  HOLM_ENVIRONMENT_FAILED: { exit: 7, meaning: 'The environment could not be created, started or entered.' },
  HOLM_SERVICE_NOT_FOUND: { exit: 7, meaning: 'The environment has no service of that name.' },
  HOLM_SERVICE_FAILED: { exit: 7, meaning: 'A service ended, or did not become healthy.' },
  HOLM_IMAGE_MISSING: { exit: 7, meaning: 'The image is not on this machine and could not be pulled.' },
  HOLM_PORT_TAKEN: { exit: 7, meaning: 'A port of this machine is already in use.' },
  HOLM_DISK_FULL: { exit: 7, meaning: 'No space is left on a disk.' },
  HOLM_REPOSITORY_NOT_FOUND: { exit: 7, meaning: 'The folder is in no git repository.' },
  HOLM_REVISION_NOT_FOUND: { exit: 7, meaning: 'The repository has no such branch, tag or commit.' },
  HOLM_WORKSPACE_NOT_FOUND: { exit: 7, meaning: 'No workspace of that name.' },
  HOLM_WORKSPACE_CONFLICT: { exit: 7, meaning: 'The name, branch or folder of a workspace is taken.' },
  HOLM_WORKSPACE_UNSAVED: {
    exit: 7,
    meaning: 'There is uncommitted work, in the workspace or where it is to be merged.',
  },
  HOLM_SYNC_CONFLICT: {
    exit: 7,
    meaning: 'Both sides changed the same files; each keeps its own version.',
  },
  HOLM_MERGE_CONFLICT: { exit: 7, meaning: 'Both sides changed the same lines; nothing was merged.' },
  HOLM_FILE_NOT_FOUND: { exit: 7, meaning: 'There is no file or folder at that path.' },
  HOLM_FILE_DENIED: { exit: 7, meaning: 'The file or folder may not be read or changed.' },
  HOLM_FILE_FAILED: {
    exit: 7,
    meaning: 'The file or folder is not of the kind that is needed, or could not be read or changed.',
  },
  HOLM_PATH_OUTSIDE: { exit: 7, meaning: 'The path leads out of the folder that it has to stay in.' },
  HOLM_SOCKET_TAKEN: { exit: 7, meaning: 'Another server listens on the socket.' },
  HOLM_TOKEN_INVALID: { exit: 7, meaning: 'The token of the remote-control API is missing or wrong.' },
  HOLM_LIMIT_REACHED: { exit: 7, meaning: 'A stated limit was reached.' },
  HOLM_CONNECTION_LOST: { exit: 7, meaning: 'The connection to a holm server was lost.' },
  HOLM_COMMAND_FAILED: { exit: 8, meaning: 'A tool or a blueprint command ended with a non-zero code.' },
  HOLM_TIMEOUT: { exit: 124, meaning: 'A wait reached its stated deadline.' },
  HOLM_INTERRUPTED: { exit: 130, meaning: 'Interrupted by a signal or an abort.' },
  HOLM_BUG: { exit: 70, meaning: 'A bug in holm.' },
} as const satisfies Record<string, { exit: number; meaning: string }>

export type ErrorCode = keyof typeof errorTable

export interface HolmErrorOptions {
  /** One imperative sentence: what the user can do. */
  readonly hint?: string
  readonly cause?: unknown
  /** Name of the plugin that failed. */
  readonly plugin?: string
  /** Machine-readable extras: offending value, path, line, column. JSON-safe. */
  readonly details?: Readonly<Record<string, unknown>>
}

/** Message = what happened, with the offending value. Detect by `code`, never by `instanceof` (packages may be duplicated). */
export class HolmError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly plugin: string | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(code: ErrorCode, message: string, options: HolmErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'HolmError'
    this.code = code
    this.hint = options.hint
    this.plugin = options.plugin
    this.details = options.details
  }
}

/** True for a HolmError of any copy of this package; with `code`, only for that code. */
export function isHolmError(error: unknown): error is HolmError
export function isHolmError<Code extends ErrorCode>(
  error: unknown,
  code: Code,
): error is HolmError & { readonly code: Code }
export function isHolmError(error: unknown, code?: ErrorCode): boolean {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false
  return code === undefined ? error.code in errorTable : error.code === code
}

/** Exit code for any thrown value; 70 for what is not a HolmError. */
export function exitCodeOf(error: unknown): number {
  return isHolmError(error) ? errorTable[error.code].exit : errorTable.HOLM_BUG.exit
}

/** For a program that is to be started, paused or measured in an environment that does not run: one wording for all providers. */
export function notRunning(
  name: string,
  {
    status = 'not running',
    cause,
  }: { readonly status?: 'not running' | 'paused'; readonly cause?: unknown } = {},
): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_NOT_RUNNING', `environment ${name} is ${status}`, {
    hint: `Start it with: holm start ${name}`,
    details: { name },
    cause,
  })
}

/** Throws HOLM_INTERRUPTED when the signal has fired; keeps a HolmError given as the abort reason. */
export function assertNotAborted(signal: AbortSignal): void {
  if (!signal.aborted) return
  throw abortError(signal)
}

/** The error that an aborted signal stands for. */
export function abortError(signal: AbortSignal): HolmError {
  if (isHolmError(signal.reason)) return signal.reason
  return new HolmError('HOLM_INTERRUPTED', 'interrupted', { cause: signal.reason })
}
