import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { setStage, type Stage } from './stage.ts'

const text = (path: string): string => readFileSync(path, 'utf8')

async function make(stage: Stage, name = 'fix'): Promise<string> {
  return (await stage.workspaces.create(name, { cwd: stage.repository })).path
}

/** Nothing of the workspace is left but what git keeps on purpose. */
async function expectGone({ git, repository, host, workspaces }: Stage): Promise<void> {
  expect(workspaces.records()).toEqual([])
  expect(await host.list({ all: true })).toEqual([])
  expect(git(repository, 'branch', '--list', 'holm/*')).toBe('')
  expect(git(repository, 'worktree', 'list', '--porcelain').match(/^worktree /gm)).toHaveLength(1)
  expect(git(repository, 'status', '--short')).toBe('')
}

it('makes a worktree, a branch and an environment, and leaves the repository clean', async () => {
  const stage = await setStage({ copy: ['.env', 'nothing'], link: ['node_modules'] })
  const { repository, git, write, workspaces } = stage
  write(join(repository, '.env'), 'KEY=1\n')
  write(join(repository, 'node_modules', 'x.js'), '1\n')
  const info = await workspaces.create('fix', { cwd: join(repository, 'node_modules') })
  expect(info).toMatchObject({
    name: 'fix',
    repository,
    path: join(repository, '.worktree', 'fix'),
    branch: 'holm/fix',
    into: 'main',
    status: 'running',
    provider: 'memory',
    changed: [],
    ahead: 0,
    behind: 0,
    merged: false,
    problem: undefined,
    warnings: [],
  })
  expect(text(join(info.path, '.env'))).toBe('KEY=1\n')
  expect(text(join(info.path, 'node_modules', 'x.js'))).toBe('1\n')
  expect(git(repository, 'status', '--short')).toBe('')
  // Ignored there as well: work in it is not littered with what was brought.
  expect(git(info.path, 'status', '--short')).toBe('')
  await expect(workspaces.delete('fix')).resolves.toMatchObject({ name: 'fix' })
  expect(text(join(repository, 'node_modules', 'x.js'))).toBe('1\n')
  await expectGone(stage)
})

it('lets git work inside, in the name of the user, and keeps what git runs here out of reach', async () => {
  const stage = await setStage()
  const path = await make(stage)
  const shared = join(stage.repository, '.git')
  const own = join(shared, 'worktrees', 'fix')
  const [{ mounts, exec } = { mounts: [], exec: undefined }] = stage.specs
  const bind = (path: string, readonly: boolean) => ({ type: 'bind', source: path, target: path, readonly })
  expect(mounts).toEqual([
    { ...bind(path, false), target: '/workspace' },
    { ...bind(join(path, '.git'), true), target: '/workspace/.git' },
    bind(shared, false),
    bind(join(shared, 'config'), true),
    bind(join(shared, 'hooks'), true),
    bind(join(shared, 'worktrees'), true),
    bind(own, false),
    bind(join(own, 'commondir'), true),
    bind(join(own, 'gitdir'), true),
  ])
  expect(exec?.env).toMatchObject({
    HOLM_WORKSPACE: 'fix',
    GIT_CONFIG_COUNT: '3',
    GIT_CONFIG_KEY_0: 'safe.directory',
    GIT_CONFIG_KEY_1: 'user.name',
    GIT_CONFIG_VALUE_1: 'Ada',
  })
})

it('starts from what is new elsewhere, and from what is here when that cannot be had', async () => {
  const stage = await setStage()
  const { folder, repository, git, write, workspaces } = stage
  const remote = join(folder, 'remote.git')
  git(folder, 'clone', '--quiet', '--bare', repository, remote)
  git(repository, 'remote', 'add', 'origin', remote)
  git(repository, 'fetch', '--quiet', 'origin')
  git(repository, 'branch', '--quiet', '--set-upstream-to=origin/main')
  const other = join(folder, 'other')
  git(folder, 'clone', '--quiet', remote, other)
  write(join(other, 'new.txt'), 'new\n')
  git(other, 'add', '--all')
  git(
    other,
    '-c',
    'user.name=B',
    '-c',
    'user.email=b@example.org',
    'commit',
    '--quiet',
    '--message',
    'second',
  )
  git(other, 'push', '--quiet')
  const { path } = await workspaces.create('fresh', { cwd: repository })
  expect(text(join(path, 'new.txt'))).toBe('new\n')
  rmSync(remote, { recursive: true })
  const offline = await workspaces.create('offline', { cwd: repository })
  expect(offline.warnings).toEqual([
    expect.stringMatching(/^origin could not be fetched, the workspace starts from what is here: git fetch/),
  ])
  expect(stage.warnings).toEqual(offline.warnings)
  const old = await workspaces.create('old', { cwd: repository, from: 'main' })
  expect(existsSync(join(old.path, 'new.txt'))).toBe(false)
})

it.each([
  {
    what: 'a revision that does not exist',
    options: { from: 'v9' },
    code: 'HOLM_REVISION_NOT_FOUND',
    says: '"v9"',
  },
  {
    what: 'a revision that is a flag',
    options: { from: '--all' },
    code: 'HOLM_REVISION_NOT_FOUND',
    says: '"--all"',
  },
  {
    what: 'a blueprint that does not exist',
    options: { blueprint: 'nope' },
    code: 'HOLM_BLUEPRINT_NOT_FOUND',
    says: 'nope',
  },
  {
    what: 'a folder without a repository',
    options: { cwd: '/' },
    code: 'HOLM_REPOSITORY_NOT_FOUND',
    says: '/ is in no git',
  },
])('refuses $what, and leaves nothing', async ({ options, code, says }) => {
  const stage = await setStage()
  const made = stage.workspaces.create('fix', { cwd: stage.repository, ...options })
  await expect(made).rejects.toMatchObject({ code, message: expect.stringContaining(says) })
  await expectGone(stage)
})

it.each(['Fix', 'a/b', '..', '', 'x'.repeat(41), '-n'])('refuses the name %j', async (name) => {
  const stage = await setStage()
  await expect(stage.workspaces.create(name, { cwd: stage.repository })).rejects.toMatchObject({
    code: 'HOLM_NAME_INVALID',
  })
  await expectGone(stage)
})

it('takes nobody else’s branch, folder, environment or workspace', async () => {
  const stage = await setStage()
  const { repository, git, workspaces, host } = stage
  git(repository, 'branch', 'holm/taken')
  mkdirSync(join(repository, '.worktree', 'there'), { recursive: true })
  await host.up({ cwd: repository, name: 'env' })
  await make(stage, 'twice')
  for (const name of ['taken', 'there', 'env', 'twice'])
    await expect(make(stage, name)).rejects.toMatchObject({ code: 'HOLM_WORKSPACE_CONFLICT' })
  expect(git(repository, 'branch', '--list', 'holm/taken')).toContain('holm/taken')
  expect(existsSync(join(repository, '.worktree', 'there'))).toBe(true)
  expect((await host.list({ all: true })).map(({ name }) => name)).toEqual(['env', 'twice'])
  expect(workspaces.records().map(({ name }) => name)).toEqual(['twice'])
})

it('is made by one of two who ask at the same moment', async () => {
  const stage = await setStage()
  const ends = await Promise.allSettled([make(stage), make(stage)])
  expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  const lost = ends.find((end) => end.status === 'rejected')
  expect(lost?.reason).toMatchObject({
    code: 'HOLM_ENVIRONMENT_BUSY',
    message: expect.stringMatching(/^workspace fix is busy: create/),
  })
  await stage.workspaces.delete('fix')
  await expectGone(stage)
})

it('leaves nothing when it is interrupted, and heals what a killed one left', async () => {
  const stage = await setStage()
  const { repository, workspaces } = stage
  const controller = new AbortController()
  const made = workspaces.create('fix', { cwd: repository, signal: controller.signal })
  const settled = made.catch((error: unknown) => error)
  while (workspaces.records().length === 0) await setImmediate()
  controller.abort()
  await expect(settled).resolves.toMatchObject({ code: 'HOLM_INTERRUPTED' })
  await expectGone(stage)
  // As a kill -9 leaves it: the record says creating, and nobody holds it.
  await make(stage)
  stage.halve('fix')
  await expect(workspaces.list()).resolves.toMatchObject([
    { name: 'fix', problem: expect.stringContaining('half-made') },
  ])
  await make(stage)
  await expect(workspaces.show('fix')).resolves.toMatchObject({ status: 'running', problem: undefined })
})

it('keeps everything that is nowhere else when it is deleted', async () => {
  const stage = await setStage()
  const { repository, git, write, workspaces } = stage
  const path = await make(stage)
  write(join(path, 'a b.txt'), 'committed\n')
  git(path, 'commit', '--quiet', '--all', '--message', 'work')
  write(join(path, 'a b.txt'), 'changed\n')
  write(join(path, 'new folder', 'new "file"'), 'untracked\n')
  git(path, 'add', 'a b.txt')
  await expect(workspaces.unsaved('fix')).resolves.toEqual({
    changed: ['a b.txt', 'new folder/new "file"'],
    commits: 1,
    nested: [],
  })
  const { recovery = '' } = await workspaces.delete('fix')
  expect(recovery).toMatch(/^refs\/holm\/recovery\/fix-\d{4}-/)
  expect(git(repository, 'show', `${recovery}:a b.txt`)).toBe('changed')
  expect(git(repository, 'show', `${recovery}~1:a b.txt`)).toBe('committed')
  expect(git(repository, 'show', `${recovery}:new folder/new "file"`)).toBe('untracked')
  await expectGone(stage)
  const again = await make(stage)
  expect(again).toBe(path)
  await expect(workspaces.delete('fix')).resolves.toEqual({ name: 'fix', recovery: undefined })
})

it('keeps commits also when the worktree was removed by hand', async () => {
  const stage = await setStage()
  const { repository, git, write, workspaces } = stage
  const path = await make(stage)
  write(join(path, 'a b.txt'), 'work\n')
  git(path, 'commit', '--quiet', '--all', '--message', 'work')
  rmSync(path, { recursive: true })
  await expect(workspaces.show('fix')).resolves.toMatchObject({ problem: expect.stringMatching(/is gone/) })
  const { recovery = '' } = await workspaces.delete('fix')
  expect(git(repository, 'show', `${recovery}:a b.txt`)).toBe('work')
  await expectGone(stage)
})

it('merges what is committed, and says what stands in the way', async () => {
  const stage = await setStage()
  const { repository, git, write, workspaces } = stage
  const path = await make(stage)
  await expect(workspaces.merge('fix')).resolves.toMatchObject({ merged: false, into: 'main' })
  write(join(path, 'new.txt'), 'new\n')
  await expect(workspaces.merge('fix')).rejects.toMatchObject({
    code: 'HOLM_WORKSPACE_UNSAVED',
    details: { changed: ['new.txt'] },
  })
  write(join(repository, 'a b.txt'), 'dirty\n')
  await expect(workspaces.merge('fix', { message: 'add new' })).rejects.toMatchObject({
    code: 'HOLM_WORKSPACE_UNSAVED',
    details: { repository },
  })
  git(repository, 'checkout', '--quiet', '--', 'a b.txt')
  git(repository, 'switch', '--quiet', '--create', 'elsewhere')
  await expect(workspaces.merge('fix')).rejects.toMatchObject({
    details: { branch: 'elsewhere', into: 'main' },
  })
  git(repository, 'switch', '--quiet', 'main')
  await expect(workspaces.merge('fix')).resolves.toMatchObject({ merged: true })
  expect(text(join(repository, 'new.txt'))).toBe('new\n')
  expect(git(repository, 'log', '--topo-order', '--format=%s').split('\n')).toEqual([
    'Merge the workspace fix',
    'add new',
    'first',
  ])
  await expect(workspaces.show('fix')).resolves.toMatchObject({ merged: true, ahead: 0, behind: 1 })
  await expect(workspaces.delete('fix')).resolves.toEqual({ name: 'fix', recovery: undefined })
})

it.each([false, true])(
  'reports a conflict with its files and merges nothing (squash: %s)',
  async (squash) => {
    const stage = await setStage()
    const { repository, git, write, workspaces } = stage
    const path = await make(stage)
    write(join(path, 'a b.txt'), 'theirs\n')
    write(join(repository, 'a b.txt'), 'ours\n')
    git(repository, 'commit', '--quiet', '--all', '--message', 'ours')
    const head = git(repository, 'rev-parse', 'HEAD')
    const merged = workspaces.merge('fix', { message: 'theirs', squash })
    await expect(merged).rejects.toMatchObject({
      code: 'HOLM_MERGE_CONFLICT',
      details: { files: ['a b.txt'] },
    })
    expect(git(repository, 'rev-parse', 'HEAD')).toBe(head)
    expect(git(repository, 'status', '--short')).toBe('')
    expect(text(join(repository, 'a b.txt'))).toBe('ours\n')
  },
)

it('merges as one commit when asked to', async () => {
  const stage = await setStage()
  const { repository, git, write, workspaces } = stage
  const path = await make(stage)
  for (const word of ['one', 'two']) {
    write(join(path, `${word}.txt`), word)
    git(path, 'add', '--all')
    git(path, 'commit', '--quiet', '--message', word)
  }
  await workspaces.merge('fix', { squash: true })
  expect(git(repository, 'log', '--topo-order', '--format=%s').split('\n')).toEqual([
    'Merge the workspace fix',
    'first',
  ])
  expect(text(join(repository, 'two.txt'))).toBe('two')
})

it('shows what was committed, changed and added', async () => {
  const stage = await setStage()
  const path = await make(stage)
  expect(await stage.workspaces.diff('fix')).toBe('')
  stage.write(join(path, 'a b.txt'), 'two\n')
  stage.git(path, 'commit', '--quiet', '--all', '--message', 'work')
  stage.write(join(path, 'new.txt'), 'new\n')
  const whole = await stage.workspaces.diff('fix')
  expect(whole).toContain('-one\n+two')
  expect(whole).toContain('+new')
  expect(await stage.workspaces.diff('fix', { stat: true })).toContain('2 files changed')
  // Looking changes nothing.
  expect(stage.git(path, 'status', '--short')).toBe('?? new.txt')
})

it('says what to do where a runtime mounts folders only', async () => {
  const stage = await setStage()
  const config = join(stage.repository, '.git', 'config')
  stage.provider.faults['create'] = { code: 'HOLM_BLUEPRINT_UNSUPPORTED', message: `${config} is a file` }
  await expect(make(stage)).rejects.toMatchObject({
    code: 'HOLM_BLUEPRINT_UNSUPPORTED',
    hint: expect.stringContaining('plugin.workspace.protectGit false'),
  })
  await expectGone(stage)
})

it('stops, starts, and comes back when its environment was removed', async () => {
  const stage = await setStage()
  const { workspaces, host } = stage
  await make(stage)
  await expect(workspaces.stop('fix')).resolves.toMatchObject({ status: 'stopped' })
  await expect(workspaces.start('fix')).resolves.toMatchObject({ status: 'running' })
  await host.destroy('fix')
  await expect(workspaces.list()).resolves.toMatchObject([{ name: 'fix', status: 'absent' }])
  await expect(workspaces.start('fix')).resolves.toMatchObject({ status: 'running' })
  for (const call of [workspaces.show, workspaces.start, workspaces.stop, workspaces.delete])
    await expect(call('nope')).rejects.toMatchObject({
      code: 'HOLM_WORKSPACE_NOT_FOUND',
      hint: 'There are: fix',
    })
})
