import { objectSchema, optionChecks } from '@holm/core'
import type { StandardIssue, StandardSchema } from '@holm/core'
import { parseScope } from './credentials/scope.ts'
import { parseIdle } from './pause/duration.ts'

/** The section `plugin.workspace` of the configuration. */
export interface WorkspaceConfig {
  /** Where worktrees are put: absolute, or relative to the repository's main worktree. Default `.worktree`. */
  readonly folder?: string
  /** Fetch the branch that a workspace starts from. Default true. */
  readonly fetch?: boolean
  /** Ignored files and folders that a new worktree gets a copy of, copy-on-write where the disk can. Default `['.env']`. */
  readonly copy?: readonly string[]
  /** The same, as links to those of the main worktree. */
  readonly link?: readonly string[]
  /**
   * Keep git's configuration and hooks read-only inside the environment: both run programs on this machine. Default true;
   * `git config` and `git push --set-upstream` fail inside then.
   */
  readonly protectGit?: boolean
  /** Let ssh sessions use the keys of this machine's agent. Default false: who is inside can use them, too. */
  readonly forwardAgent?: boolean
  /**
   * Let git in `workspace exec`, `shell`, `run` and ssh sessions of new workspaces use this machine's git credentials, for the remotes of the
   * repository; a list names more places: `https://example.org/team`. Default false: who is inside can use them, too.
   */
  readonly gitCredentials?: boolean | readonly string[]
  /** Workspaces that nobody used for so long are paused, or stopped where nothing can be paused: `30m`. Default `off`. */
  readonly idle?: string
  /** What sleeps is woken by its next use. Default true; false: by `holm workspace start` alone. */
  readonly autoStart?: boolean
  /** What `holm sync` copies between a folder and an environment without a mount. */
  readonly sync?: SyncConfig
}

export interface SyncConfig {
  /** Patterns of rsync that are copied although one of `exclude` fits. */
  readonly include?: readonly string[]
  /** Patterns of rsync that are not copied; replaces the list that holm has. `.git` never is. */
  readonly exclude?: readonly string[]
  /** Compress on the way. Default false: most environments are on this machine. */
  readonly compress?: boolean
}

const { flag, text } = optionChecks

function insidePaths(value: unknown): string | undefined {
  const fits = Array.isArray(value) && value.every((item) => typeof item === 'string' && isPlain(item))
  return fits ? undefined : 'must be a list of paths inside the repository'
}

function idleTime(value: unknown): string | undefined {
  const fits = typeof value === 'string' && parseIdle(value) !== undefined
  return fits ? undefined : 'must be a time such as "30m", or "off"'
}

function credentialPlaces(value: unknown): string | undefined {
  const fits =
    typeof value === 'boolean' ||
    (Array.isArray(value) &&
      value.every((item) => typeof item === 'string' && parseScope(item, { named: true }) !== undefined))
  return fits ? undefined : 'must be true, false or a list of places such as "https://example.org/team"'
}

/** Relative, and inside whatever it is relative to. */
function isPlain(path: string): boolean {
  return path !== '' && !path.startsWith('/') && !path.split(/[/\\]/).includes('..')
}

function patterns(value: unknown): string | undefined {
  const fits =
    Array.isArray(value) &&
    value.every((item) => typeof item === 'string' && item !== '' && !/[\n\r\0]/.test(item))
  return fits ? undefined : 'must be a list of patterns'
}

const syncSchema = objectSchema<SyncConfig>({ include: patterns, exclude: patterns, compress: flag })

function syncSection(value: unknown): string | undefined {
  const result = syncSchema['~standard'].validate(value)
  const [issue] = 'issues' in result ? (result.issues ?? []) : []
  return issue === undefined ? undefined : `${keyOf(issue)} ${issue.message}`.trim()
}

function keyOf({ path: [key] = [] }: StandardIssue): string {
  return typeof key === 'string' ? key : ''
}

export const configSchema: StandardSchema<WorkspaceConfig> = objectSchema<WorkspaceConfig>({
  folder: text,
  fetch: flag,
  copy: insidePaths,
  link: insidePaths,
  protectGit: flag,
  forwardAgent: flag,
  gitCredentials: credentialPlaces,
  idle: idleTime,
  autoStart: flag,
  sync: syncSection,
})
