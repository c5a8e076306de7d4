import { expect, it } from 'vitest'
import { createFakeProcess } from '../../test/fake-process.ts'
import { captureProcess } from './capture.ts'

it.each([
  { what: 'short', text: 'äh', limit: 10, stdout: 'äh', truncated: false },
  { what: 'as long as the limit', text: 'ähm', limit: 4, stdout: 'ähm', truncated: false },
  { what: 'cut in the middle of a character', text: 'aä', limit: 2, stdout: 'a', truncated: true },
  { what: 'cut after several pieces', text: 'abcdefghij', limit: 4, stdout: 'abcd', truncated: true },
])('output that is $what', async ({ text, limit, stdout, truncated }) => {
  const program = createFakeProcess()
  const captured = captureProcess(program, limit)
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += 3) program.stdout.write(bytes.subarray(at, at + 3))
  program.end({ code: 0 })
  expect(await captured).toEqual({
    exitCode: 0,
    signal: null,
    stdout,
    stderr: '',
    encoding: 'utf8',
    truncated,
  })
})
