import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createRunner } from '@holm/core/host'
import { expect, it } from 'vitest'
import { planCredentials } from '../src/credentials/remotes.ts'
import { createGit } from '../src/git.ts'
import type { CreateOptions } from '../src/index.ts'
import { setStage, type Stage } from './stage.ts'

/** A repository with remotes. */
async function begin(config: Parameters<typeof setStage>[0] = {}): Promise<Stage> {
  const stage = await setStage(config)
  const { repository, git } = stage
  git(repository, 'remote', 'add', 'origin', 'https://example.org/acme/app.git')
  git(repository, 'remote', 'set-url', '--add', '--push', 'origin', 'https://ada:old@push.example.org/app')
  git(repository, 'remote', 'add', 'short', 'gh:acme/tool')
  git(repository, 'config', 'url.https://code.example.net/.insteadOf', 'gh:')
  git(repository, 'remote', 'add', 'ssh', 'git@example.org:acme/app.git')
  git(repository, 'remote', 'add', 'plain', 'http://example.org/acme/app.git')
  git(repository, 'remote', 'add', 'evil', 'https://example.org/x%0ahost=evil.example')
  return stage
}

const remotes = [
  'https://example.org/acme/app.git',
  'https://push.example.org/app',
  'https://code.example.net/acme/tool',
]

it('is made for the remotes that the repository has, with a password and without what is none', async () => {
  const stage = await begin()
  const { workspaces, repository, specs } = stage
  const made = await workspaces.create('fix', { cwd: repository, gitCredentials: true })
  expect(made.gitCredentials).toEqual(remotes)
  expect(JSON.stringify(workspaces.records()[0]?.gitCredentials)).not.toMatch(/old|ada/)
  stage.git(repository, 'remote', 'add', 'later', 'https://later.example.org/app')
  await expect(workspaces.show('fix')).resolves.toMatchObject({ gitCredentials: remotes })
  const env = specs.at(-1)?.exec.env ?? {}
  expect(Object.keys(env).filter((name) => name.startsWith('GIT_CONFIG_KEY'))).toHaveLength(
    Number(env['GIT_CONFIG_COUNT']),
  )
  expect(Object.values(env).filter((value) => value === 'credential.helper')).toHaveLength(2)
})

it.each<{
  what: string
  config?: Parameters<typeof setStage>[0]
  options?: Partial<CreateOptions>
  made?: readonly string[]
}>([
  { what: 'nothing asked for them' },
  { what: 'the configuration asks', config: { gitCredentials: true }, made: remotes },
  { what: 'the call says no', config: { gitCredentials: true }, options: { gitCredentials: false } },
  {
    what: 'places are named',
    config: { gitCredentials: ['http://git.lan'] },
    options: { gitCredentials: ['https://b.org/x'] },
    made: [...remotes, 'https://b.org/x', 'http://git.lan'],
  },
])('has what it is made with where $what', async ({ config = {}, options = {}, made }) => {
  const { workspaces, repository } = await begin(config)
  await workspaces.create('fix', { cwd: repository, ...options })
  expect((await workspaces.show('fix')).gitCredentials).toEqual(made)
})

it.each([
  { options: { gitCredentials: ['example.org'] }, says: '"example.org"' },
  { options: { gitCredentials: ['ssh://example.org/x'] }, says: '"ssh://example.org/x"' },
  { options: { gitCredentials: true, sync: true }, says: '--sync' },
])('refuses $options, and makes nothing', async ({ options, says }) => {
  const { workspaces, repository } = await begin()
  await expect(workspaces.create('fix', { cwd: repository, ...options })).rejects.toMatchObject({
    code: 'HOLM_USAGE',
    message: expect.stringContaining(says),
  })
  expect(workspaces.records()).toEqual([])
  expect(existsSync(join(repository, '.worktree', 'fix'))).toBe(false)
})

it('goes on without them, and says so, where the environment cannot pass them on', async () => {
  const { workspaces, repository, warnings } = await begin()
  await workspaces.create('fix', { cwd: repository, gitCredentials: true })
  // The programs of the memory provider are none of a system.
  await expect(workspaces.lendCredentials('fix')).resolves.toMatchObject({ env: {} })
  expect(warnings).toEqual([expect.stringContaining('there are no git credentials inside fix')])
  await workspaces.stop('fix')
  await expect(workspaces.lendCredentials('fix')).resolves.toMatchObject({ env: {} })
  expect(warnings).toHaveLength(1)
})

it('lends nothing to a workspace that was made without', async () => {
  const { workspaces, repository } = await begin()
  await workspaces.create('fix', { cwd: repository })
  await expect(workspaces.lendCredentials('fix')).resolves.toMatchObject({ env: {} })
  await expect(workspaces.lendCredentials('none')).resolves.toMatchObject({ env: {} })
})

it('is nothing for files without a repository', async () => {
  const { repository } = await begin()
  const git = createGit(createRunner({ env: process.env }), process.env)
  await expect(planCredentials(git, repository, { configured: true, sync: true })).resolves.toBeUndefined()
})
