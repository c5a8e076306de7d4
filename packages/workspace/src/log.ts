import type { WorkspaceCommit } from './api.ts'
import type { Git } from './git.ts'
import type { WorkspaceRecord } from './record.ts'

const between = '\u001F'

/** The commits that the branch of a workspace has and `into` has not, newest first. Asked in the main worktree: no file of the workspace is read. */
export async function listCommits(
  git: Git,
  { repository, branch, into }: WorkspaceRecord,
  { limit, signal }: { readonly limit: number; readonly signal?: AbortSignal | undefined },
): Promise<WorkspaceCommit[]> {
  const format = `--format=${['%H', '%an', '%aI', '%s'].join('%x1F')}`
  const range = `refs/heads/${into}..refs/heads/${branch}`
  const args = ['log', '-z', '--no-show-signature', `--max-count=${limit}`, format, range, '--']
  const { stdout } = await git(repository, args, { signal })
  return stdout
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => {
      const [commit = '', author = '', at = '', subject = ''] = line.split(between)
      return { commit, author, at, subject }
    })
}
