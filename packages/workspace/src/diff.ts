import type { Git } from './git.ts'
import { presentPlace } from './place.ts'
import type { WorkspaceRecord } from './record.ts'
import { withWholeIndex } from './recovery.ts'

/** Everything since the workspace's branch left the one it is merged into: committed, changed and untracked. */
export async function diffWorkspace(git: Git, record: WorkspaceRecord, stat: boolean): Promise<string> {
  const { path, repository, into, start, branch } = record
  const base = (await git.ask(repository, ['merge-base', into, branch])) ?? start
  // What others committed chooses no program of this machine.
  const form = ['--no-color', '--no-ext-diff', '--no-textconv', ...(stat ? ['--stat'] : [])]
  return withWholeIndex(git, presentPlace(record), (inside, env) =>
    inside.text(path, ['diff', '--cached', ...form, base], { env }),
  )
}
