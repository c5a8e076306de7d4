import { describe, expect, it } from 'vitest'
import { neutralise, redact, sanitize } from './redact.ts'

describe('neutralise', () => {
  it.each([
    ['\u001b[31mred\u001b[0m', 'red'],
    ['\u001b]0;title\u0007text', 'text'],
    ['\u001b]8;;http://x\u001b\\link', 'link'],
    ['a\u0000b\u0008c\u009bd', 'abcd'],
    ['50%\r100%\r\ndone', '50%\n100%\ndone'],
    ['tab\tand\nline, ünïcode 漢', 'tab\tand\nline, ünïcode 漢'],
    ['abc\u202edcba', 'abcdcba'],
  ])('%j', (input, expected) => {
    expect(neutralise(input)).toBe(expected)
  })
})

describe('redact', () => {
  it.each([
    ['https://user:hunter2@host/x', 'https://***@host/x'],
    ['GITHUB_TOKEN=abcdef123', 'GITHUB_TOKEN=***'],
    ['"password": "s3cret!"', '"password": "***"'],
    ['Authorization: Bearer abcdefghij.klm', 'Authorization: Bearer ***'],
    [`token is ghp_${'a'.repeat(36)}`, 'token is ***'],
    ['the author=me, key=left, monkey: business', 'the author=me, key=left, monkey: business'],
    ['http://host:8080/path', 'http://host:8080/path'],
  ])('%j', (input, expected) => {
    expect(redact(input)).toBe(expected)
  })

  it('masks the values it is told, but not ones so short that they stand everywhere', () => {
    expect(redact('open sesame, a b', ['sesame', 'a'])).toBe('open ***, a b')
  })
})

it('a control character inside a secret does not hide it', () => {
  expect(sanitize('pass\u0000word=hunter2')).toBe('password=***')
})
