import { expect, it } from 'vitest'
import { parseStatus, parseWorktrees } from './parse.ts'

// Output of git 2.39.5.
it('reads the list of worktrees, with odd names, without a branch, and without a folder', () => {
  const output = [
    'worktree /srv/a b',
    'HEAD 1111111111111111111111111111111111111111',
    'branch refs/heads/main',
    '',
    'worktree /srv/a b/.worktree/fix',
    'HEAD 2222222222222222222222222222222222222222',
    'branch refs/heads/holm/fix',
    'locked holm workspace fix',
    '',
    'worktree /srv/gone',
    'HEAD 3333333333333333333333333333333333333333',
    'detached',
    'prunable gitdir file points to non-existent location',
    '',
    '',
  ].join('\0')
  expect(parseWorktrees(output)).toEqual([
    { path: '/srv/a b', head: '1'.repeat(40), branch: 'main', bare: false, prunable: false },
    {
      path: '/srv/a b/.worktree/fix',
      head: '2'.repeat(40),
      branch: 'holm/fix',
      bare: false,
      prunable: false,
    },
    { path: '/srv/gone', head: '3'.repeat(40), branch: undefined, bare: false, prunable: true },
  ])
})

it('reads a status: changed, renamed, untracked and conflicting paths, with spaces and line ends', () => {
  const output = [
    `# branch.oid ${'4'.repeat(40)}`,
    '# branch.head holm/fix',
    '1 .M N... 100644 100644 100644 aaaa bbbb a b.txt',
    '2 R. N... 100644 100644 100644 aaaa bbbb R100 new name.txt',
    'old name.txt',
    'u UU N... 100644 100644 100644 100644 aaaa bbbb cccc both.txt',
    '? line\nend',
    '',
  ].join('\0')
  expect(parseStatus(output)).toEqual({
    commit: '4'.repeat(40),
    branch: 'holm/fix',
    changed: ['a b.txt', 'new name.txt', 'line\nend', 'both.txt'],
    conflicts: ['both.txt'],
  })
})

it('reads a status before the first commit', () => {
  expect(parseStatus('# branch.oid (initial)\0# branch.head (detached)\0')).toEqual({
    commit: undefined,
    branch: undefined,
    changed: [],
    conflicts: [],
  })
})
