import type { Git } from './git.ts'
import type { WorkspaceRecord } from './record.ts'
import { withWholeIndex } from './recovery.ts'

/** Everything since the workspace's branch left the one it is merged into: committed, changed and untracked. */
export async function diffWorkspace(git: Git, record: WorkspaceRecord, stat: boolean): Promise<string> {
  const { path, repository, into, start, branch } = record
  const base = (await git.ask(repository, ['merge-base', into, branch])) ?? start
  const form = stat ? ['--stat'] : []
  return withWholeIndex(git, path, (env) =>
    git.text(path, ['diff', '--cached', '--no-color', '--no-ext-diff', ...form, base], { env }),
  )
}
