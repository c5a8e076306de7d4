import { describe, expect, it } from 'vitest'
import { isHolmError } from '../../errors.ts'
import { parseDocument } from './parse-document.ts'
import type { HolmError } from '../../errors.ts'

async function failure(text: string, source: string): Promise<HolmError> {
  const error: unknown = await parseDocument(text, source).catch((reason: unknown) => reason)
  if (!isHolmError(error, 'HOLM_BLUEPRINT_SYNTAX'))
    throw new Error(`expected a syntax error, got ${String(error)}`)
  return error
}

describe('parseDocument', () => {
  it('reads the three syntaxes to one value', async () => {
    const value = { name: 'x', ports: ['8080:80'], tools: { node: 20 } }
    const yaml = await parseDocument('name: x\nports: ["8080:80"]\ntools:\n  node: 20\n', 'holm.yaml')
    const json = await parseDocument(
      '{ // c\n "name": "x", "ports": ["8080:80",], "tools": {"node": 20} }',
      'holm.json',
    )
    const toml = await parseDocument('name = "x"\nports = ["8080:80"]\n[tools]\nnode = 20\n', 'holm.toml')
    expect([yaml.value, json.value, toml.value]).toEqual([value, value, value])
  })

  it.each(['holm.yaml', 'holm.json', 'holm.toml'])('finds keys and values of %s', async (source) => {
    const texts: Record<string, string> = {
      'holm.yaml': 'name: x\ntools:\n  node: 20\n',
      'holm.json': '{"name": "x",\n"tools": {\n  "node": 20}}',
      'holm.toml': 'name = "x"\n[tools]\n  node = 20\n',
    }
    const document = await parseDocument(texts[source] ?? '', source)
    expect(document.locate(['tools', 'node'], 'key')).toEqual({ line: 3, column: 3 })
    expect(document.locate(['tools', 'node', 'deeper'])).toMatchObject({ line: 3 })
    expect(document.locate(['absent'])).toEqual({ line: 1, column: 1 })
  })

  it('keeps how a number is spelt', async () => {
    for (const [source, text] of [
      ['a.yaml', 'tools: {python: 3.10}'],
      ['a.json', '{"tools": {"python": 3.10}}'],
      ['a.toml', '[tools]\npython = 3.10 # old'],
    ] as const) {
      const document = await parseDocument(text, source)
      expect(document.value).toEqual({ tools: { python: 3.1 } })
      expect(document.spelling(['tools', 'python'])).toBe('3.10')
    }
  })

  it('accepts anchors, merge keys, CRLF and a byte order mark', async () => {
    const text = '\uFEFFa: &a {x: 1}\r\nb:\r\n  <<: *a\r\n  y: |\r\n    one\r\n    two\r\n'
    const { value } = await parseDocument(text, 'holm.yaml')
    expect(value).toEqual({ a: { x: 1 }, b: { x: 1, y: 'one\ntwo\n' } })
  })

  it.each([
    ['holm.yaml', 'name: x\nports: [1, 2\nuser: y\n', /^holm\.yaml:3:\d+: /],
    [
      'holm.yaml',
      'name: x\nname: y\n',
      /^holm\.yaml:2:1: a key stands twice in one map\n {2}name: y\n {2}\^$/,
    ],
    ['holm.yaml', 'name: !secret x\n', /^holm\.yaml:1:7: /],
    ['holm.yaml', 'a: 1\n---\nb: 2\n', /^holm\.yaml:2:1: /],
    ['holm.yaml', 'a: *nowhere\n', /^holm\.yaml/],
    [
      'holm.json',
      '{"name": "x"\n"ports": []}',
      /^holm\.json:2:1: comma expected\n {2}"ports": \[\]}\n {2}\^$/,
    ],
    ['holm.json', '{"a": 1, "a": 2}', /^holm\.json:1:10: the key "a" stands twice in one map/],
    ['holm.json', '', /^holm\.json:1:1: /],
    ['holm.toml', 'name = "x"\nports = [1\nuser = 2\n', /^holm\.toml:\d:\d+: /],
    ['holm.toml', 'day = 2026-01-01\n', /^holm\.toml:1:1: day is a date or another special value/],
    ['holm.yaml', 'a: .inf\n', /^holm\.yaml:1:4: a is Infinity, no finite number/],
    ['holm.yaml', '__proto__: {a: 1}\n', /^holm\.yaml:1:12: __proto__ is a key that cannot be used/],
    ['holm.json', '['.repeat(50_000), /nested too deeply|nested deeper/],
    ['holm.yaml', '['.repeat(50_000), /./],
    ['holm.json', `"${'x'.repeat(1024 * 1024)}"`, /larger than 1 MiB/],
  ])('refuses %s %#', async (source, text, message) => {
    expect((await failure(text, source)).message).toMatch(message)
  })

  it('limits alias bombs and circles', async () => {
    const bomb = [
      'a: &a [1,1,1,1,1,1,1,1,1]',
      ...'bcdefgh'.split('').map((letter, index) => {
        const before = 'abcdefg'[index]
        return `${letter}: &${letter} [${`*${before},`.repeat(9)}]`
      }),
    ].join('\n')
    expect((await failure(bomb, 'holm.yaml')).message).toMatch(/alias/i)
    expect((await failure('a: &a [*a]\n', 'holm.yaml')).message).toMatch(/nested|alias/i)
  })

  it('never quotes control characters', async () => {
    const error = await failure('{"a": \u001B[31m }', 'holm.json')
    expect(error.message).not.toContain('\u001B')
  })
})
