import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Lab } from '../lab.ts'
import type { Contender } from '../measure.ts'
import type { Suite } from './suite.ts'

const folders = 100
const filesEach = 100

/** 10,000 files of 0.2 to 8 KiB, as sources are. */
function writeFiles(root: string): void {
  for (let folder = 0; folder < folders; folder += 1) {
    mkdirSync(join(root, 'src', `d${folder}`), { recursive: true })
    for (let file = 0; file < filesEach; file += 1) {
      const text = `${folder} ${file} `.repeat(20 + ((folder * 31 + file * 17) % 800))
      writeFileSync(join(root, 'src', `d${folder}`, `f${file}.txt`), text)
    }
  }
}

/** A workspace without a mount, and how ssh gets there. */
async function createWorkspace(lab: Lab): Promise<{ readonly project: string; readonly config: string }> {
  const blueprint = 'name: synced\nbase: host\nprovider: sandbox\n'
  const project = lab.createProject('synced', { 'holm.yaml': blueprint })
  const git = (...args: readonly string[]): Promise<string> =>
    lab.run(['git', '-c', 'user.name=bench', '-c', 'user.email=bench@localhost', ...args], { cwd: project })
  await git('init', '--quiet')
  writeFiles(project)
  await git('add', '--all')
  await git('commit', '--quiet', '--message', 'files')
  await lab.holm(project, 'workspace', 'create', 'synced', '--sync')
  const config = join(lab.folder, 'ssh.config')
  writeFileSync(config, await lab.holm(project, 'ssh-config', '--print'), { mode: 0o600 })
  return { project, config }
}

/** What is copied over holm's SSH, by hand and by `holm sync`. */
export const sync: Suite = {
  name: 'sync',
  async *cases(lab) {
    const { project, config } = await createWorkspace(lab)
    const worktree = join(project, '.worktree', 'synced')
    const empty = (): Promise<string> =>
      lab.holm(project, 'exec', 'synced', '--', 'sh', '-c', 'find /workspace -mindepth 1 -delete')
    const rsync = ['rsync', '-rlpt', '--exclude=.git', '--rsh', `ssh -F ${config}`, `${worktree}/`]
    const byHand: Contender = {
      name: 'rsync',
      run: () => lab.run([...rsync, 'ws.synced:/workspace/']),
    }
    const byHolm: Contender = { name: 'holm sync', run: () => lab.holm(project, 'sync', 'synced') }
    try {
      yield {
        id: 'sync-files',
        title: '10,000 files into an environment, over SSH',
        contenders: [byHand, byHolm].map((contender) => ({ ...contender, before: empty })),
        budgets: [{ of: 'holm sync', than: 'rsync', times: 1.2 }],
      }
      yield {
        id: 'sync-nothing',
        title: '10,000 files that are there already, over SSH',
        contenders: [byHand, byHolm],
        budgets: [],
      }
    } finally {
      await lab.holm(project, 'workspace', 'delete', 'synced', '--yes')
    }
  },
}
