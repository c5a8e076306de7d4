import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseFailure, wslError } from './wsl-errors.ts'
import { decodeOutput, isAtLeast, parseNames, parseVerboseList, parseVersion } from './wsl-output.ts'

interface Recorded<Expected> {
  readonly tool: string
  readonly text: string
  readonly expected: Expected
}

const fixtures = JSON.parse(
  readFileSync(new URL('../test/fixtures/wsl-output.json', import.meta.url), 'utf8'),
) as {
  readonly versions: readonly Recorded<object | null>[]
  readonly lists: readonly Recorded<readonly object[]>[]
  readonly failures: readonly Recorded<{
    readonly code: string
    readonly wsl: string
    readonly says: string
  }>[]
}

/** The same text as every kind of wsl.exe puts it on a pipe. */
const encodings: Readonly<Record<string, (text: string) => Buffer>> = {
  'UTF-16LE': (text) => Buffer.from(text.replaceAll('\n', '\r\n'), 'utf16le'),
  'UTF-16LE with a mark': (text) => Buffer.from(`\uFEFF${text.replaceAll('\n', '\r\n')}`, 'utf16le'),
  'UTF-16LE with doubled CR': (text) => Buffer.from(text.replaceAll('\n', '\r\r\n'), 'utf16le'),
  'UTF-8': (text) => Buffer.from(text.replaceAll('\n', '\r\n')),
  'UTF-8 with a mark': (text) => Buffer.from(`\uFEFF${text}`),
}

describe.each(Object.entries(encodings))('in %s', (_name, encode) => {
  it.each(fixtures.versions)('the version of $tool', ({ text, expected }) => {
    expect(parseVersion(decodeOutput(encode(text))) ?? null).toEqual(expected)
  })

  it.each(fixtures.lists)('the list of $tool', ({ text, expected }) => {
    expect(parseVerboseList(decodeOutput(encode(text)))).toEqual(expected)
  })

  it.each(fixtures.failures)('the failure of $tool: $text', ({ text, expected }) => {
    const decoded = decodeOutput(encode(text))
    expect(parseFailure(decoded).code).toBe(expected.wsl)
    const error = wslError(decoded, 'import environment x')
    expect(error.code).toBe(expected.code)
    expect(error.message).toContain(expected.says)
    expect(error.message).toContain(`(${expected.wsl})`)
    expect(error.hint).toMatch(/\.$/)
  })
})

it('a failure without any words is one, too', () => {
  expect(wslError('', 'stop x').message).toBe('cannot stop x: wsl.exe gave no reason')
})

it('text without any zero byte, and nothing at all', () => {
  expect(decodeOutput(Buffer.from('漢字\r\n'))).toBe('漢字\n')
  expect(decodeOutput(Buffer.from('漢字\r\n', 'utf16le'))).toBe('漢字\n')
  expect(decodeOutput(new Uint8Array())).toBe('')
})

it('names are lines without spaces', () => {
  expect(parseNames('Ubuntu-22.04\nholm.n.web \n\nThere are no running distributions.\n')).toEqual([
    'Ubuntu-22.04',
    'holm.n.web',
  ])
})

it.each([
  ['0.58.3.0', '0.58', true],
  ['0.50.2.0', '0.58', false],
  ['1.0.0.0', '0.58', true],
  ['2.0.14', '2.0.14.0', true],
  ['2.6.3.0', '2.10', false],
])('%s is at least %s: %s', (have, want, answer) => expect(isAtLeast(have, want)).toBe(answer))
