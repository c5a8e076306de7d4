import { parse } from 'yaml'
import { describe, expect, it } from 'vitest'
import { formatYaml } from './yaml.ts'

describe('formatYaml', () => {
  it('writes what a reader of YAML reads back', () => {
    const value = {
      text: 'plain',
      awkward: `'single' "double" \\back #no: {} [] & * ! | > % @ \` yes null 1e3`,
      lines: 'one\ntwo\r\n\ttab\0',
      beyond: 'ü ✓ 漢字 🙂 \u0085 \u2028 \ud83d\ude42',
      number: 12,
      flag: false,
      'odd key: #': 'x',
      empty: {},
      list: [],
      flat: [1, 2],
      nested: [{ a: 'b', c: { d: ['e'] } }, { f: [{ g: true }] }],
    }
    expect(parse(formatYaml(value))).toEqual(value)
  })

  it('leaves out what is undefined', () => {
    expect(formatYaml({ a: undefined, b: [{ c: undefined, d: 1 }] })).toBe('b:\n- d: 1\n')
  })
})
