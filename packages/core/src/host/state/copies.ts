/** A golden image as holm wrote it down; the environment of that name in the runtime holds its files. */
export interface ImageRecord {
  /** `golden-<first 12 digits of the hash>`: environment of the runtime, and key. */
  readonly name: string
  readonly hash: string
  readonly provider: string
  readonly blueprint: string
  readonly source: string
  readonly createdAt: string
  readonly usedAt: string
  /** Milliseconds that its provisioning took: what each use saves. */
  readonly tookMs: number
}

/** Files of one bind mount, saved as a tar beside the snapshot. */
export interface SavedMount {
  readonly source: string
  readonly target: string
  /** File name within the snapshot's folder. */
  readonly archive: string
  readonly kind: 'folder' | 'file'
  readonly sizeBytes: number
}

/** What holm adds to a snapshot of the provider. Key: `<environment>/<name>`. */
export interface SnapshotRecord {
  readonly environment: string
  readonly name: string
  readonly createdAt: string
  readonly memory: boolean
  readonly automatic: boolean
  /** Undefined: the files of bind mounts were left alone. */
  readonly mounts: readonly SavedMount[] | undefined
}

/** A restore that has begun to change things. Key: the environment. */
export interface RestoreJournal {
  readonly environment: string
  readonly provider: string
  readonly snapshot: string
  /** 'staging': nothing is changed yet, and what was unpacked can go. 'swapping': it has to be brought to its end. */
  readonly phase: 'staging' | 'swapping'
  readonly swaps: readonly Swap[]
}

/** One folder whose content is exchanged by renames, in a way that can be repeated from any point. */
export interface Swap {
  readonly source: string
  readonly kind: 'folder' | 'file'
  /** Folder beside the content (for a file: beside the file) that holds `new` and takes `old`. */
  readonly stage: string
  /** Names that were there before. */
  readonly before: readonly string[]
}
