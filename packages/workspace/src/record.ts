import type { CredentialScope } from './credentials/scope.ts'

/** What holm wrote down about a workspace. Git's own list of worktrees and the runtime's labels are the truth for what exists. */
export interface WorkspaceRecord {
  /** Also the name of its environment. */
  readonly name: string
  /** 'creating' until `create` is through: found again with nobody at work, it is half-made. */
  readonly phase: 'creating' | 'ready'
  /** The repository's main worktree, absolute. */
  readonly repository: string
  /** Folder of git's own data that all worktrees share, absolute. */
  readonly commonDir: string
  /** The worktree, absolute. */
  readonly path: string
  readonly branch: string
  /** The branch of the main worktree when it was made: what it is compared with, and merged into. */
  readonly into: string
  /** Full id of the commit it began from. */
  readonly start: string
  readonly createdAt: string
  /** Its number, for one of N made together. */
  readonly worker?: number
  /** It is put to sleep when nobody used it for so many milliseconds; 0: never; absent: as the configuration says. */
  readonly idleMs?: number
  /** The name that it is getting: found again with nobody at work, its rename was interrupted. */
  readonly renaming?: string
  /** Folder inside that the worktree is synchronised with; absent: it is mounted. */
  readonly synced?: string
  /** What this machine's git credentials may be asked for from inside; absent: nothing is asked or answered. */
  readonly gitCredentials?: readonly CredentialScope[]
  readonly blueprint?: string
  readonly provider?: string
}
