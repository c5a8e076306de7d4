import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLab, type Lab } from '../lab.ts'
import type { Case, Contender } from '../measure.ts'
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

/** What a disk does with thousands of new files depends on what was removed before, and varies by more than all that is compared here. */
const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** What is copied by hand, over holm's SSH, and by `holm sync`. */
export const sync: Suite = {
  name: 'sync',
  async *cases({ signal, namespace }) {
    const lab = createLab({ signal, namespace: `${namespace}s`, place: memory })
    try {
      yield* casesIn(lab)
    } finally {
      await lab.dispose()
    }
  },
}

async function* casesIn(lab: Lab): AsyncIterable<Case> {
  const { project, config } = await createWorkspace(lab)
  const worktree = join(project, '.worktree', 'synced')
  const empty = (): Promise<string> =>
    lab.holm(project, 'exec', 'synced', '--', 'sh', '-c', 'find /workspace -mindepth 1 -delete')
  const rsync = ['rsync', '-rlpt', '--exclude=.git', '--rsh', `ssh -F ${config}`, `${worktree}/`]
  const byHand: Contender = {
    name: 'rsync over ssh',
    run: () => lab.run([...rsync, 'ws.synced:/workspace/']),
  }
  const byHolm: Contender = { name: 'holm sync', run: () => lab.holm(project, 'sync', 'synced') }
  try {
    yield {
      id: 'sync-files',
      title: '10,000 files into an environment, in memory on both sides',
      contenders: [byHand, byHolm].map((contender) => ({ ...contender, before: empty })),
      budgets: [{ of: 'holm sync', than: 'rsync over ssh', times: 1.2 }],
    }
    yield {
      id: 'sync-nothing',
      title: '10,000 files that are there already',
      contenders: [byHand, byHolm],
      budgets: [],
    }
  } finally {
    await lab.holm(project, 'workspace', 'delete', 'synced', '--yes')
  }
}
