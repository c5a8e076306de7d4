import { expect, test } from 'vitest'
import { suggestHint, suggestWord } from './suggest.ts'

test.each([
  ['provder', 'provider'],
  ['Provider', 'provider'],
  ['prvoider', 'provider'],
  ['namespce', 'namespace'],
  ['dokcer', 'docker'],
  ['lxd', 'lxc'],
  ['qemu', undefined],
  ['ax', undefined],
  ['', undefined],
])('%s means %s', (word, meant) => {
  expect(suggestWord(word, ['namespace', 'provider', 'docker', 'lxc', 'ab'])).toBe(meant)
})

test('the hint falls back to what the caller says', () => {
  expect(suggestHint('dokcer', ['docker'], 'Run holm.')).toBe('Did you mean docker?')
  expect(suggestHint('xyz', ['docker'], 'Run holm.')).toBe('Run holm.')
})
