import { createFakeRunner } from '@holm/testkit'
import { expect, it } from 'vitest'
import { createGit } from './git.ts'

const argv = ['git', 'worktree', 'add', '/w']
const halfRead = {
  argv,
  code: 128,
  once: true,
  stderr: 'fatal: failed to read .git/worktrees/other/commondir: Success\n',
}

it('asks again when another git is just writing a worktree down', async () => {
  const runner = createFakeRunner([halfRead, halfRead, { argv, stdout: 'done\n' }])
  await expect(createGit(runner, {}).text('/r', ['worktree', 'add', '/w'])).resolves.toBe('done')
  expect(runner.calls).toHaveLength(3)
})

it('takes any other failure for one, at once', async () => {
  const stderr = 'fatal: failed to read .git/worktrees/other/commondir: Permission denied\n'
  const runner = createFakeRunner([{ argv, code: 128, stderr }])
  await expect(createGit(runner, {})('/r', ['worktree', 'add', '/w'])).rejects.toMatchObject({
    code: 'HOLM_COMMAND_FAILED',
    message: expect.stringContaining('Permission denied'),
  })
  expect(runner.calls).toHaveLength(1)
})
