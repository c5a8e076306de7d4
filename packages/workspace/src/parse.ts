/** One entry of `git worktree list --porcelain -z`. */
export interface WorktreeEntry {
  readonly path: string
  readonly head: string | undefined
  /** Without `refs/heads/`; undefined where none is checked out. */
  readonly branch: string | undefined
  readonly bare: boolean
  /** Its folder is gone. */
  readonly prunable: boolean
}

export function parseWorktrees(output: string): WorktreeEntry[] {
  return output
    .split('\0\0')
    .filter((block) => block !== '')
    .map((block) => {
      const fields = new Map(
        block.split('\0').map((line) => {
          const space = line.indexOf(' ')
          return space === -1 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)]
        }),
      )
      return {
        path: fields.get('worktree') ?? '',
        head: fields.get('HEAD'),
        branch: fields.get('branch')?.replace(/^refs\/heads\//, ''),
        bare: fields.has('bare'),
        prunable: fields.has('prunable'),
      }
    })
}

/** What `git status --porcelain=v2 --branch -z` says. */
export interface WorkStatus {
  /** Full id; undefined before the first commit. */
  readonly commit: string | undefined
  /** Undefined when the head is detached. */
  readonly branch: string | undefined
  /** Paths that differ from the commit, untracked ones included. */
  readonly changed: readonly string[]
  /** Paths with both sides of an unfinished merge. */
  readonly conflicts: readonly string[]
}

export function parseStatus(output: string): WorkStatus {
  let commit: string | undefined
  let branch: string | undefined
  const changed: string[] = []
  const conflicts: string[] = []
  const words = output.split('\0')
  for (let index = 0; index < words.length; index += 1) {
    const line = words[index] ?? ''
    if (line.startsWith('# branch.oid ')) commit = valueOf(line, '(initial)')
    else if (line.startsWith('# branch.head ')) branch = valueOf(line, '(detached)')
    else if (line.startsWith('1 ')) changed.push(pathAfter(line, 8))
    else if (line.startsWith('2 ')) {
      changed.push(pathAfter(line, 9))
      // The old path follows as a word of its own.
      index += 1
    } else if (line.startsWith('u ')) conflicts.push(pathAfter(line, 10))
    else if (line.startsWith('? ')) changed.push(line.slice(2))
  }
  return { commit, branch, changed: [...changed, ...conflicts], conflicts }
}

function valueOf(line: string, none: string): string | undefined {
  const value = line.split(' ').slice(2).join(' ')
  return value === none ? undefined : value
}

/** A path may hold spaces: it is everything after so many words. */
function pathAfter(line: string, words: number): string {
  return line.split(' ').slice(words).join(' ')
}
