import { HolmError } from '@holm/core'
import { expect, it } from 'vitest'
import { splitWords, workerOf } from './words.ts'

const known = {
  workers: [
    { name: 'app-worker-1', worker: 1 },
    { name: 'app-worker-12', worker: 12 },
  ],
  names: new Set(['app-worker-1', 'app-worker-12', 'fix', 'src']),
}

it.each([
  ['nothing', [], [], []],
  ['a number', ['1'], ['app-worker-1'], []],
  ['numbers and a path', ['12', '1', 'lib'], ['app-worker-12', 'app-worker-1'], ['lib']],
  ['a name and paths with spaces and quotes', ['fix', 'a b', `it's "q"`], ['fix'], ['a b', `it's "q"`]],
  ['one worker twice', ['1', 'app-worker-1'], ['app-worker-1'], []],
  ['a name that a folder has, too', ['src'], ['src'], []],
  ['paths that look like workers', ['./1', './src', 'fix/'], [], ['./1', './src', 'fix/']],
  ['numbers with more to them', ['1.5', '-1', '1a'], [], ['1.5', '-1', '1a']],
])('takes %s', (_what, words, ...expected) => {
  const [workers, paths] = expected
  expect(splitWords(words, known)).toEqual({ workers, paths })
})

it('takes no number that is no worker for a path', () => {
  expect(() => workerOf('7', known)).toThrow(
    expect.objectContaining({
      code: 'HOLM_WORKSPACE_NOT_FOUND',
      hint: 'There are: 1, 12; a path is written ./7',
    }),
  )
  expect(() => splitWords(['7'], { workers: [], names: new Set() })).toThrow(HolmError)
})
