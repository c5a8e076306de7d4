import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createRunner } from '@holm/core/host'
import { createGit } from '../src/git.ts'
import { claimPlaces } from '../src/worktree.ts'
import { setStage, type Stage } from './stage.ts'

// Who works in a worktree may write all of it. Nothing they leave may run on this machine, get out, or get lost.

interface Attack {
  readonly stage: Stage
  /** The worktree. */
  readonly path: string
  /** A program that leaves a mark; it answers as a filter and a monitor of git do. */
  readonly program: string
}

const attacks: Readonly<Record<string, (attack: Attack) => void>> = {
  'another repository in place of .git': ({ stage, path, program }) => {
    const evil = join(path, 'evil')
    stage.git(stage.folder, 'init', '--quiet', evil)
    for (const key of ['core.fsmonitor', 'core.hooksPath', 'core.sshCommand', 'core.pager', 'diff.external'])
      stage.git(evil, 'config', key, program)
    unlinkSync(join(path, '.git'))
    writeFileSync(join(path, '.git'), `gitdir: ${join(evil, '.git')}\n`)
  },
  'a repository inside with a monitor and a filter': ({ stage, path, program }) => {
    const inner = join(path, 'inner')
    stage.git(stage.folder, 'clone', '--quiet', stage.repository, inner)
    stage.git(inner, 'config', 'core.fsmonitor', program)
    stage.git(inner, 'config', 'filter.x.clean', program)
    stage.write(join(inner, '.gitattributes'), '* filter=x\n')
    stage.git(path, 'add', 'inner')
    stage.write(join(inner, 'a b.txt'), 'dirty\n')
  },
  'the same as a submodule': ({ stage, path, program }) => {
    const inner = join(path, 'sub')
    stage.git(
      path,
      '-c',
      'protocol.file.allow=always',
      'submodule',
      '--quiet',
      'add',
      stage.repository,
      'sub',
    )
    stage.git(path, 'commit', '--quiet', '--message', 'a submodule')
    stage.git(inner, 'config', 'core.fsmonitor', program)
    stage.git(inner, 'config', 'filter.x.clean', program)
    stage.write(join(inner, '.gitattributes'), '* filter=x\n')
    stage.write(join(inner, 'a b.txt'), 'dirty\n')
  },
  'hooks in the worktree where the repository has its hooks there': ({ stage, path, program }) => {
    stage.git(stage.repository, 'config', 'core.hooksPath', '.husky')
    for (const hook of [
      'pre-commit',
      'commit-msg',
      'post-commit',
      'post-merge',
      'pre-merge-commit',
      'post-checkout',
    ])
      symlinkSync(program, (stage.write(join(path, '.husky', 'x'), ''), join(path, '.husky', hook)))
  },
}

it.each(Object.keys(attacks))('runs nothing that was left there: %s', async (name) => {
  const stage = await setStage()
  const { workspaces, repository } = stage
  const { path } = await workspaces.create('fix', { cwd: repository })
  // git gives what its configuration names to a shell: a path without quotes.
  const marks = mkdtempSync(join(tmpdir(), 'holm-mark-'))
  onTestFinished(() => rmSync(marks, { recursive: true }))
  const mark = join(marks, 'mark')
  const program = join(marks, 'program')
  writeFileSync(program, `#!/bin/sh\ntouch ${JSON.stringify(mark)}\ncat\n`, { mode: 0o755 })
  stage.write(join(path, 'a b.txt'), 'work\n')
  attacks[name]?.({ stage, path, program })
  // What git does there without holm's care: the attack is real.
  stage.git(path, 'status', '--short')
  const real = existsSync(mark)
  rmSync(mark, { force: true })
  expect(real || name.startsWith('hooks')).toBe(true)
  await workspaces.list()
  await workspaces.show('fix')
  await workspaces.diff('fix')
  await workspaces.unsaved('fix')
  await workspaces.merge('fix', { message: 'work' })
  expect(readFileSync(join(repository, 'a b.txt'), 'utf8')).toBe('work\n')
  await workspaces.delete('fix', { force: true })
  expect(existsSync(mark)).toBe(false)
  expect(existsSync(path)).toBe(false)
})

it('keeps repositories inside until somebody says that they may go', async () => {
  const stage = await setStage()
  const { workspaces, repository, git } = stage
  const { path } = await workspaces.create('fix', { cwd: repository })
  git(path, 'init', '--quiet', 'inner one')
  stage.write(join(path, 'new.txt'), 'new\n')
  await expect(workspaces.delete('fix')).rejects.toMatchObject({
    code: 'HOLM_WORKSPACE_UNSAVED',
    details: { nested: ['inner one'] },
    hint: expect.stringContaining('--force'),
  })
  await expect(workspaces.show('fix')).resolves.toMatchObject({ status: 'running' })
  const { recovery = '' } = await workspaces.delete('fix', { force: true })
  expect(git(repository, 'show', `${recovery}:new.txt`)).toBe('new')
  expect(existsSync(path)).toBe(false)
})

it('keeps the commits of the branch when whoever works there has left it', async () => {
  const stage = await setStage()
  const { workspaces, repository, git } = stage
  const { path } = await workspaces.create('fix', { cwd: repository })
  stage.write(join(path, 'on-branch.txt'), 'branch\n')
  git(path, 'add', '--all')
  git(path, 'commit', '--quiet', '--message', 'on the branch')
  git(path, 'checkout', '--quiet', '--detach', 'HEAD~1')
  stage.write(join(path, 'detached.txt'), 'detached\n')
  git(path, 'add', '--all')
  git(path, 'commit', '--quiet', '--message', 'on none')
  stage.write(join(path, 'loose.txt'), 'loose\n')
  await expect(workspaces.unsaved('fix')).resolves.toMatchObject({ commits: 2, changed: ['loose.txt'] })
  const { recovery = '' } = await workspaces.delete('fix')
  expect(git(repository, 'show', `${recovery}:loose.txt`)).toBe('loose')
  expect(git(repository, 'log', '--format=%s', recovery).split('\n')).toEqual(
    expect.arrayContaining(['on the branch', 'on none']),
  )
})

it('keeps what lies on a branch without commits', async () => {
  const stage = await setStage()
  const { workspaces, repository, git } = stage
  const { path } = await workspaces.create('fix', { cwd: repository })
  git(path, 'checkout', '--quiet', '--orphan', 'fresh')
  stage.write(join(path, 'a b.txt'), 'orphan\n')
  await expect(workspaces.show('fix')).resolves.toMatchObject({ problem: undefined })
  const { recovery = '' } = await workspaces.delete('fix')
  expect(git(repository, 'show', `${recovery}:a b.txt`)).toBe('orphan')
})

it('copies and links nothing through links that lead out', async () => {
  const stage = await setStage({ copy: ['out/secret', 'in/file'], link: ['out'] })
  const { workspaces, repository, folder } = stage
  stage.write(join(folder, 'elsewhere', 'secret'), 'secret\n')
  symlinkSync(join(folder, 'elsewhere'), join(repository, 'out'))
  symlinkSync(join(folder, 'elsewhere'), join(repository, 'in'))
  stage.git(repository, 'add', 'in')
  stage.git(repository, 'commit', '--quiet', '--message', 'a link that leads out')
  rmSync(join(repository, 'in'))
  stage.write(join(repository, 'in', 'file'), 'mine\n')
  const { path } = await workspaces.create('fix', { cwd: repository })
  expect(existsSync(join(path, 'out'))).toBe(false)
  expect(existsSync(join(folder, 'elsewhere', 'file'))).toBe(false)
})

it('claims folder and branch in one step each, and leaves what others made first', async () => {
  const { repository, git } = await setStage()
  const record = {
    name: 'fix',
    phase: 'creating',
    repository,
    commonDir: join(repository, '.git'),
    path: join(repository, '.worktree', 'fix'),
    branch: 'holm/fix',
    into: 'main',
    start: git(repository, 'rev-parse', 'HEAD'),
    createdAt: new Date().toISOString(),
  } as const
  const real = createGit(createRunner({ env: process.env }), process.env)
  git(repository, 'branch', 'holm/fix')
  await expect(claimPlaces(real, record)).rejects.toMatchObject({ code: 'HOLM_WORKSPACE_CONFLICT' })
  expect(existsSync(record.path)).toBe(false)
  expect(git(repository, 'branch', '--list', 'holm/fix')).toContain('holm/fix')
  mkdirSync(record.path)
  writeFileSync(join(record.path, 'file'), 'theirs')
  await expect(claimPlaces(real, record)).rejects.toMatchObject({ code: 'HOLM_WORKSPACE_CONFLICT' })
  expect(existsSync(join(record.path, 'file'))).toBe(true)
})

it.each([
  {
    what: 'has no head',
    spoil: (own: string) => rmSync(join(own, 'HEAD')),
  },
  {
    what: 'has a broken index',
    spoil: (own: string) => writeFileSync(join(own, 'index'), 'broken'),
  },
  {
    what: 'has a head that leads elsewhere',
    spoil: (own: string, other: string) => {
      rmSync(join(own, 'HEAD'))
      symlinkSync(other, join(own, 'HEAD'))
    },
  },
  {
    what: 'has gone',
    spoil: (own: string) => rmSync(own, { recursive: true }),
  },
])('keeps the files of a worktree whose own data $what', async ({ spoil }) => {
  const stage = await setStage()
  const { workspaces, repository, git } = stage
  const { path } = await workspaces.create('fix', { cwd: repository })
  await workspaces.create('other', { cwd: repository })
  stage.write(join(path, 'new.txt'), 'new\n')
  const other = join(stage.folder, 'other file')
  writeFileSync(other, 'untouched\n')
  spoil(join(repository, '.git', 'worktrees', 'fix'), other)
  await expect(workspaces.list()).resolves.toMatchObject([
    { name: 'fix', problem: expect.stringContaining('holm workspace delete fix') },
    { name: 'other', problem: undefined },
  ])
  const { recovery = '' } = await workspaces.delete('fix')
  expect(git(repository, 'show', `${recovery}:new.txt`)).toBe('new')
  expect(git(repository, 'show', `${recovery}:a b.txt`)).toBe('one')
  expect(readFileSync(other, 'utf8')).toBe('untouched\n')
  expect(existsSync(path)).toBe(false)
  expect(git(repository, 'worktree', 'list').split('\n')).toHaveLength(2)
})
