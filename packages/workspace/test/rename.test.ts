import { mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { spawnWorkers } from '../src/workers/spawn.ts'
import { setStage, type Stage } from './stage.ts'

const patient = { timeout: 60_000 }

async function make(stage: Stage, name = 'fix'): Promise<string> {
  return (await stage.workspaces.create(name, { cwd: stage.repository })).path
}

/** Runs a script inside, and gives what it printed. */
async function inside({ host }: Stage, environment: string, script: string): Promise<string> {
  const child = await host.exec({ environment, argv: ['/bin/sh', '-c', script], cwd: '/' })
  let text = ''
  for await (const chunk of child.stdout ?? []) text += Buffer.from(chunk).toString()
  await child.exited
  return text
}

/** Branch, worktree and environment have this name, and nothing has the other. */
async function expectCalled(stage: Stage, name: string, status: string): Promise<void> {
  const { git, repository, host, workspaces } = stage
  const path = join(repository, '.worktree', name)
  expect(workspaces.records().map((record) => record.name)).toEqual([name])
  expect(workspaces.records()[0]).not.toHaveProperty('renaming')
  await expect(workspaces.show(name)).resolves.toMatchObject({
    path,
    branch: `holm/${name}`,
    status,
    problem: undefined,
  })
  expect(git(repository, 'branch', '--list', 'holm/*', '--format=%(refname:short)')).toBe(`holm/${name}`)
  expect(git(path, 'rev-parse', '--abbrev-ref', 'HEAD')).toBe(`holm/${name}`)
  const listed = git(repository, 'worktree', 'list', '--porcelain').split('\n\n')
  expect(listed).toHaveLength(2)
  expect(listed[1]).toContain(`worktree ${path}\n`)
  expect(listed[1]).toContain(`locked holm workspace ${name}`)
  expect((await host.list({ all: true })).map((each) => each.name)).toEqual([name])
}

it('gives worktree, branch and environment another name, and keeps what is in them', patient, async () => {
  const stage = await setStage()
  const { git, write, repository, workspaces, host } = stage
  write(join(repository, 'holm.yaml'), 'name: demo\nbase: host\nports: ["0:8080"]\n')
  git(repository, 'commit', '--quiet', '--all', '--message', 'ports')
  const path = await make(stage)
  write(join(path, 'a b.txt'), 'changed\n')
  git(path, 'add', '--all')
  write(join(path, 'new.txt'), 'untracked\n')
  await inside(stage, 'fix', 'echo mine > installed')
  const { ports } = await host.status('fix')
  await expect(workspaces.planRename('fix', 'tidy')).resolves.toEqual({
    name: 'fix',
    to: 'tidy',
    stops: true,
    lost: [],
  })
  await expect(workspaces.rename('fix', 'tidy')).resolves.toMatchObject({
    name: 'tidy',
    changed: ['a b.txt', 'new.txt'],
  })
  await expectCalled(stage, 'tidy', 'running')
  expect(await inside(stage, 'tidy', 'cat installed; echo $HOLM_WORKSPACE; cat workspace/new.txt')).toBe(
    'mine\ntidy\nuntracked\n',
  )
  const renamed = await host.status('tidy')
  expect(renamed.ports).toEqual(ports)
  expect(JSON.stringify(renamed)).not.toContain('/.worktree/fix')
  // It is what its blueprint says, and its folder means it.
  const folder = join(repository, '.worktree', 'tidy')
  const again = await host.up({ cwd: folder, project: folder, name: 'tidy' })
  expect(again).toMatchObject({ outcome: 'running', changed: [] })
  await expect(make(stage)).resolves.toBe(path)
  await workspaces.delete('fix')
  await workspaces.rename('tidy', 'fix')
  await expectCalled(stage, 'fix', 'running')
})

it('leaves stopped what was stopped, and moves what has no environment', patient, async () => {
  const stage = await setStage()
  await make(stage)
  await stage.workspaces.stop('fix')
  await stage.workspaces.rename('fix', 'tidy')
  await expectCalled(stage, 'tidy', 'stopped')
  await stage.host.destroy('tidy')
  await expect(stage.workspaces.rename('tidy', 'bare')).resolves.toMatchObject({ status: 'absent' })
  await expect(stage.workspaces.start('bare')).resolves.toMatchObject({ status: 'running' })
  await expectCalled(stage, 'bare', 'running')
})

it('leaves a worker its number, and one that sleeps awake', patient, async () => {
  const stage = await setStage()
  const { repository, workspaces, host } = stage
  await workspaces.create('my-repo-worker-2', { cwd: repository, worker: 2 })
  host.idle.watch('my-repo-worker-2')
  await host.idle.sleep('my-repo-worker-2', { unusedSince: Date.now() + 60_000 })
  await expect(workspaces.show('my-repo-worker-2')).resolves.toMatchObject({ status: 'paused' })
  await workspaces.rename('my-repo-worker-2', 'tidy')
  await expectCalled(stage, 'tidy', 'running')
  expect(host.idle.uses('my-repo-worker-2')).toBeUndefined()
  expect(host.idle.uses('tidy')).toMatchObject({ asleep: false })
  const spawned = await spawnWorkers(workspaces, 2, { cwd: repository, repository })
  expect(spawned.map(({ worker, name }) => [worker, name])).toEqual([
    [1, 'my-repo-worker-1'],
    [2, 'tidy'],
  ])
})

it('takes nobody else’s name, and refuses what it cannot move', patient, async () => {
  const stage = await setStage()
  const { repository, git, host, workspaces } = stage
  const path = await make(stage)
  await make(stage, 'other')
  git(repository, 'branch', 'holm/taken')
  mkdirSync(join(repository, '.worktree', 'there'), { recursive: true })
  await host.up({ cwd: repository, name: 'env' })
  const refused = async (to: string, code: string, says: string): Promise<void> => {
    const expected = { code, message: expect.stringContaining(says), hint: expect.any(String) }
    await expect(workspaces.rename('fix', to)).rejects.toMatchObject(expected)
    await expect(workspaces.show('fix')).resolves.toMatchObject({ status: 'running', problem: undefined })
  }
  await refused('other', 'HOLM_WORKSPACE_CONFLICT', 'workspace other')
  await refused('taken', 'HOLM_WORKSPACE_CONFLICT', 'branch holm/taken')
  await refused('there', 'HOLM_WORKSPACE_CONFLICT', '.worktree/there exists')
  await refused('env', 'HOLM_WORKSPACE_CONFLICT', 'environment has the name env')
  await refused('fix', 'HOLM_USAGE', 'has the name fix already')
  await refused('A b', 'HOLM_NAME_INVALID', '"A b"')
  await expect(workspaces.rename('nope', 'x')).rejects.toMatchObject({ code: 'HOLM_WORKSPACE_NOT_FOUND' })
  git(repository, 'worktree', 'unlock', path)
  git(repository, 'worktree', 'lock', '--reason', 'on a stick', path)
  await refused('tidy', 'HOLM_FILE_DENIED', 'on a stick')
  git(repository, 'worktree', 'unlock', path)
  await workspaces.rename('fix', 'tidy')
  await expect(workspaces.show('tidy')).resolves.toMatchObject({ status: 'running', problem: undefined })
})

it('moves submodules, which git does not, and theirs', patient, async () => {
  const stage = await setStage()
  const { folder, repository, git, write, workspaces, provider } = stage
  const add = (where: string, from: string): string =>
    git(where, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', join(folder, from), from)
  for (const name of ['inner', 'outer']) {
    git(folder, 'init', '--quiet', name)
    git(join(folder, name), 'config', 'user.name', 'Ada')
    git(join(folder, name), 'config', 'user.email', 'ada@example.org')
    write(join(folder, name, 'file'), name)
    if (name === 'outer') add(join(folder, name), 'inner')
    git(join(folder, name), 'add', '--all')
    git(join(folder, name), 'commit', '--quiet', '--message', 'first')
  }
  const path = await make(stage)
  add(path, 'outer')
  git(path, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'update', '--init', '--recursive')
  const expectUsable = (name: string): void => {
    const inner = join(repository, '.worktree', name, 'outer', 'inner')
    expect(git(inner, 'rev-parse', '--show-toplevel')).toBe(inner)
    expect(git(inner, 'status', '--short')).toBe('')
    expect(git(join(inner, '../..'), 'submodule', 'status', '--recursive')).toMatch(/^ [0-9a-f]+ outer .*\n /)
  }
  expectUsable('fix')
  // What somebody inside made to lead elsewhere is not written through.
  const elsewhere = join(folder, 'elsewhere')
  const trap = join(repository, '.git', 'worktrees', 'fix', 'modules', 'trap')
  const text = `[core]\n\tworktree = ${path}/outer\n`
  write(elsewhere, text)
  write(join(trap, 'HEAD'), 'x')
  symlinkSync(elsewhere, join(trap, 'config'))
  provider.faults['clone.clone'] = { code: 'HOLM_DISK_FULL', message: 'full' }
  await expect(workspaces.rename('fix', 'tidy')).rejects.toMatchObject({ code: 'HOLM_DISK_FULL' })
  expectUsable('fix')
  delete provider.faults['clone.clone']
  await workspaces.rename('fix', 'tidy')
  expectUsable('tidy')
  expect(readFileSync(elsewhere, 'utf8')).toBe(text)
  await expectCalled(stage, 'tidy', 'running')
})

it('undoes everything when the environment cannot be copied, or git refuses', patient, async () => {
  const stage = await setStage()
  const { provider, repository, git, write, workspaces } = stage
  const path = await make(stage)
  provider.faults['clone.clone'] = { code: 'HOLM_DISK_FULL', message: 'full' }
  await expect(workspaces.rename('fix', 'tidy')).rejects.toMatchObject({ code: 'HOLM_DISK_FULL' })
  await expectCalled(stage, 'fix', 'running')
  delete provider.faults['clone.clone']
  // A rebase that waits has the branch.
  write(join(path, 'a b.txt'), 'theirs\n')
  git(path, 'commit', '--quiet', '--all', '--message', 'theirs')
  write(join(repository, 'a b.txt'), 'ours\n')
  git(repository, 'commit', '--quiet', '--all', '--message', 'ours')
  expect(() => git(path, 'rebase', '--quiet', 'main')).toThrow('git rebase')
  await expect(workspaces.rename('fix', 'tidy')).rejects.toMatchObject({
    code: 'HOLM_COMMAND_FAILED',
    message: expect.stringContaining('is being rebased'),
  })
  git(path, 'rebase', '--abort')
  await expectCalled(stage, 'fix', 'running')
  // A merge that waits is none of the branch's.
  expect(() => git(path, 'merge', '--quiet', 'main')).toThrow('git merge')
  await workspaces.rename('fix', 'tidy')
  expect(git(join(repository, '.worktree', 'tidy'), 'status')).toContain('Unmerged paths')
  await expectCalled(stage, 'tidy', 'running')
})

it('says what is lost where nothing can be copied, and makes it anew when that may be', patient, async () => {
  const stage = await setStage()
  const { provider, host, workspaces } = stage
  await make(stage)
  await inside(stage, 'fix', 'echo mine > installed')
  await host.snapshots.create('fix', { name: 'before' })
  await expect(workspaces.rename('fix', 'tidy')).rejects.toMatchObject({
    code: 'HOLM_CONFIRMATION_REQUIRED',
    details: { lost: ['its snapshots: before'] },
  })
  await host.snapshots.remove('fix', 'before')
  Object.assign(provider, { clone: undefined })
  await expect(workspaces.rename('fix', 'tidy')).rejects.toMatchObject({
    code: 'HOLM_CONFIRMATION_REQUIRED',
    message: expect.stringContaining('memory cannot copy environments'),
  })
  await expectCalled(stage, 'fix', 'running')
  await workspaces.rename('fix', 'tidy', { mayLose: true })
  await expectCalled(stage, 'tidy', 'running')
  expect(await inside(stage, 'tidy', 'cat installed 2>/dev/null; echo $HOLM_WORKSPACE')).toBe('tidy\n')
})

it('is done by one of two who ask at the same moment', patient, async () => {
  const stage = await setStage()
  await make(stage)
  await stage.workspaces.stop('fix')
  const ends = await Promise.allSettled(['one', 'two'].map((to) => stage.workspaces.rename('fix', to)))
  expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  const won = ends[0]?.status === 'fulfilled' ? 'one' : 'two'
  const lost = ends.find((end) => end.status === 'rejected')
  expect(lost?.reason).toMatchObject({ code: expect.stringMatching(/BUSY|NOT_FOUND/) })
  await expectCalled(stage, won, 'stopped')
})

/** What a holm leaves that is killed in a rename of fix to tidy, after its first step, its second, … */
async function dieAfter({ halfRename, git, repository, host }: Stage, steps: number): Promise<void> {
  const folder = join(repository, '.worktree')
  const [from, to] = [join(folder, 'fix'), join(folder, 'tidy')]
  const all: readonly (() => unknown)[] = [
    () => halfRename('fix', 'tidy'),
    () => git(repository, 'branch', '-m', 'holm/fix', 'holm/tidy'),
    // git itself moves the folder first, and then writes down where it is.
    () => renameSync(from, to),
    () => {
      git(repository, 'worktree', 'repair', to)
      git(repository, 'worktree', 'unlock', to)
      git(repository, 'worktree', 'lock', '--reason', 'holm workspace tidy', to)
    },
    () =>
      host.clone('fix', 'tidy', { successor: { moved: { [from]: to }, env: { HOLM_WORKSPACE: 'tidy' } } }),
    () => host.destroy('fix'),
  ]
  for (const step of all.slice(0, steps)) await step()
}

it.each([1, 2, 3, 4])('undoes what one left that was killed after %i steps', patient, async (steps) => {
  const stage = await setStage()
  const { workspaces } = stage
  await make(stage)
  await workspaces.stop('fix')
  await dieAfter(stage, steps)
  await expect(workspaces.list()).resolves.toMatchObject([
    { name: 'fix', problem: expect.stringContaining('holm workspace rename fix tidy') },
  ])
  await workspaces.start('fix')
  await expectCalled(stage, 'fix', 'running')
  expect(stage.warnings).toContainEqual(expect.stringContaining('undoing an interrupted rename of fix'))
})

it.each([1, 3, 5, 6])('is done by the next one when it was killed after %i steps', patient, async (steps) => {
  const stage = await setStage()
  const { workspaces, write } = stage
  write(join(await make(stage), 'new.txt'), 'work\n')
  await workspaces.stop('fix')
  await dieAfter(stage, steps)
  await expect(workspaces.rename('fix', 'tidy')).resolves.toMatchObject({ changed: ['new.txt'] })
  await expectCalled(stage, 'tidy', 'stopped')
})

it.each([1, 4, 5])(
  'is deleted, and its work kept, when it was killed after %i steps',
  patient,
  async (steps) => {
    const stage = await setStage()
    const { workspaces, write, git, repository, host } = stage
    write(join(await make(stage), 'new.txt'), 'work\n')
    await workspaces.stop('fix')
    await dieAfter(stage, steps)
    const { recovery = '' } = await workspaces.delete('fix')
    expect(git(repository, 'show', `${recovery}:new.txt`)).toBe('work')
    expect(workspaces.records()).toEqual([])
    await expect(host.list({ all: true })).resolves.toEqual([])
    expect(git(repository, 'branch', '--list', 'holm/*')).toBe('')
    expect(git(repository, 'worktree', 'list').split('\n')).toHaveLength(1)
  },
)
