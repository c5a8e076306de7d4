import type { StandardIssue, StandardSchema } from '@holm/core'

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
}

type Check = (value: unknown) => string | undefined

const isBoolean: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false')

const isInside: Check = (value) =>
  Array.isArray(value) && value.every((item) => typeof item === 'string' && isPlain(item))
    ? undefined
    : 'must be a list of paths inside the repository'

const checks: Readonly<Record<keyof WorkspaceConfig, Check>> = {
  folder: (value) => (typeof value === 'string' && value !== '' ? undefined : 'must be a path'),
  fetch: isBoolean,
  copy: isInside,
  link: isInside,
  protectGit: isBoolean,
  forwardAgent: isBoolean,
}

/** Relative, and inside whatever it is relative to. */
function isPlain(path: string): boolean {
  return path !== '' && !path.startsWith('/') && !path.split(/[/\\]/).includes('..')
}

export const configSchema: StandardSchema<WorkspaceConfig> = {
  '~standard': {
    version: 1,
    vendor: 'holm',
    validate(value) {
      if (value === undefined || value === null) return { value: {} }
      if (typeof value !== 'object' || Array.isArray(value))
        return { issues: [{ message: 'must be an object' }] }
      const issues = Object.entries(value).flatMap(([key, item]) => checkKey(key, item))
      return issues.length > 0 ? { issues } : { value }
    },
  },
}

function checkKey(key: string, item: unknown): StandardIssue[] {
  const check = Object.hasOwn(checks, key) ? checks[key as keyof WorkspaceConfig] : undefined
  const message =
    check === undefined ? `is unknown; known are ${Object.keys(checks).join(', ')}` : check(item)
  return message === undefined ? [] : [{ message, path: [key] }]
}
