import { expect, it } from 'vitest'
import { defaultExcludes, filterRules } from './rules.ts'

const never = ['- .[gG][iI][tT]', '- /.holm-sync/']

it('never lets git’s folder through, whatever is configured', () => {
  expect(filterRules({ include: ['.git', 'dist/'], exclude: ['*.o'] })).toEqual([
    ...never,
    '+ .git',
    '+ dist/',
    '- *.o',
  ])
  expect(filterRules({})).toEqual([...never, ...defaultExcludes.map((pattern) => `- ${pattern}`)])
})

it('limits to paths, and takes those that are named although they are excluded', () => {
  expect(filterRules({ exclude: ['dist/'] }, ['a/dist', 'a/dist/x', 'b*[c'])).toEqual([
    ...never,
    '+ /a/',
    '+ /a/dist',
    '+ /b\\*\\[c',
    '- /*',
    '- /a/*',
    '- dist/',
  ])
  expect(filterRules({ exclude: [] }, ['a', ''])).toEqual(never)
})
