import type { CallOptions, EnvironmentInfo, Resources } from '@holm/core'
import type { WorkspaceRecord } from './record.ts'
import type { Unsaved } from './recovery.ts'

export interface CreateOptions extends CallOptions {
  /** A folder of the repository. */
  readonly cwd: string
  /** Branch, tag or commit to start from; absent: the newest of the main worktree's branch and what it follows. */
  readonly from?: string
  readonly blueprint?: string
  readonly provider?: string
  readonly resources?: Resources
  /** Without a mount: the worktree is copied in, and what is done inside is brought back. */
  readonly sync?: boolean
  /** A Docker engine of its own inside, whatever the blueprint says. */
  readonly docker?: boolean
  /** Its number, for one of N made together. */
  readonly worker?: number
  /** As in `WorkspaceRecord`. */
  readonly idleMs?: number
  /**
   * Programs of a session may use this machine's git credentials, for the remotes that the repository has now; absent: as the
   * configuration says. A list names more places. Nothing with `sync`: no repository is inside.
   */
  readonly gitCredentials?: boolean | readonly string[]
}

/** A workspace as it is now. */
export interface WorkspaceInfo {
  readonly name: string
  readonly repository: string
  readonly path: string
  readonly branch: string
  readonly into: string
  readonly createdAt: string
  /** Abbreviated; undefined when the worktree is gone. */
  readonly commit: string | undefined
  /** Paths that differ from the commit, untracked ones included. */
  readonly changed: readonly string[]
  /** Commits that only this branch has, and that only `into` has. */
  readonly ahead: number
  readonly behind: number
  /** It has commits, and `into` has them all. */
  readonly merged: boolean
  /** 'absent': there is a worktree and no environment. */
  readonly status: EnvironmentInfo['status']
  readonly provider: string | undefined
  readonly ports: EnvironmentInfo['ports']
  /** Where its sessions may use this machine's git credentials, as URLs; undefined: nowhere. */
  readonly gitCredentials: readonly string[] | undefined
  /** What is wrong with it, and what to do. */
  readonly problem: string | undefined
}

export interface DeleteResult {
  readonly name: string
  /** Name under which git keeps what was neither merged nor pushed. */
  readonly recovery: string | undefined
}

export interface DeleteOptions extends CallOptions {
  /** Also with repositories inside (submodules, clones), whose work nobody keeps. */
  readonly force?: boolean
  /** The named volumes of its services from images stay. */
  readonly keepVolumes?: boolean
}

export interface RenameOptions extends CallOptions {
  /** What `planRename` names may be lost. */
  readonly mayLose?: boolean
  /** Ends what runs, once nothing stands in the way; absent: the environment is stopped. */
  readonly end?: () => Promise<unknown>
}

/** What a rename does besides giving new names. */
export interface RenamePlan {
  readonly name: string
  readonly to: string
  /** What runs inside ends, and it is started again. */
  readonly stops: boolean
  /** What does not come along, in words. */
  readonly lost: readonly string[]
}

export interface MergeOptions extends CallOptions {
  /** One commit instead of the branch's own. */
  readonly squash?: boolean
  /** Commit everything in the workspace first, with this message. */
  readonly message?: string
}

export interface MergeResult {
  readonly name: string
  readonly into: string
  /** Of `into`, afterwards. */
  readonly commit: string
  /** False: it had everything already. */
  readonly merged: boolean
}

/** What lets programs inside ask for git credentials. */
export interface LentCredentials {
  /** Variables of the programs that may; empty for a workspace that was made without. */
  readonly env: Readonly<Record<string, string>>
  /** From then on nobody is answered. Also done when the host is closed, or dies. */
  close(): Promise<void>
}

export interface WorkspaceCommit {
  /** Full id. */
  readonly commit: string
  readonly author: string
  /** ISO 8601. */
  readonly at: string
  /** First line of the message. */
  readonly subject: string
}

/** What `host.methods.workspaces()` gives. An unknown name is HOLM_WORKSPACE_NOT_FOUND. */
export interface Workspaces {
  /** Worktree, branch and environment; all of them or none. */
  create(
    name: string,
    options: CreateOptions,
  ): Promise<WorkspaceInfo & { readonly warnings: readonly string[] }>
  list(options?: CallOptions): Promise<readonly WorkspaceInfo[]>
  show(name: string, options?: CallOptions): Promise<WorkspaceInfo>
  /** Brings the environment up, anew when it is gone. */
  start(name: string, options?: CallOptions): Promise<WorkspaceInfo>
  stop(name: string, options?: CallOptions): Promise<WorkspaceInfo>
  /** Commits that only its branch has, newest first. */
  log(name: string, options: CallOptions & { readonly limit: number }): Promise<readonly WorkspaceCommit[]>
  /** Everything since it began, uncommitted and untracked files included. */
  diff(name: string, options?: CallOptions & { readonly stat?: boolean }): Promise<string>
  /** Into the branch it was made from, in the main worktree. HOLM_MERGE_CONFLICT leaves that as it was. */
  merge(name: string, options?: MergeOptions): Promise<MergeResult>
  /** Throws what stands in the way of a rename; changes nothing. */
  planRename(name: string, to: string, options?: CallOptions): Promise<RenamePlan>
  /**
   * Gives worktree, branch and environment another name; all of them or none. Files, ports and what is installed inside are kept; what
   * ran is started again. HOLM_CONFIRMATION_REQUIRED where something would be lost.
   */
  rename(name: string, to: string, options?: RenameOptions): Promise<WorkspaceInfo>
  /**
   * Keeps what was neither merged nor pushed under a recovery name, then removes environment, worktree and branch.
   * HOLM_WORKSPACE_UNSAVED for repositories inside.
   */
  delete(name: string, options?: DeleteOptions): Promise<DeleteResult>
  /**
   * Lets programs that `HostApi.exec` starts with `env`, as the environment's own user, use this machine's git credentials until `close`. What stands
   * in the way inside is a warning. docs/adr/0023.
   */
  lendCredentials(name: string, options?: CallOptions): Promise<LentCredentials>
  /** What would be lost with it, were it not kept. */
  unsaved(name: string): Promise<Unsaved>
  /** The main worktree of the repository that a folder is in. HOLM_REPOSITORY_NOT_FOUND. */
  repositoryOf(folder: string): Promise<string>
  /** The records alone. */
  records(): readonly WorkspaceRecord[]
}
