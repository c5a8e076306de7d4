import { expect, it } from 'vitest'
import { createEndFilter } from './terminal-end.ts'

const mark = '\u001B]7777;123;42\u0007'

function pass(chunks: readonly string[]): { readonly text: string; readonly codes: readonly number[] } {
  const codes: number[] = []
  const filter = createEndFilter({ token: '123' }, (code) => codes.push(code))
  const parts = chunks.map((chunk) => filter.take(Buffer.from(chunk)))
  return { text: Buffer.concat([...parts, filter.rest()]).toString(), codes }
}

it('takes the mark out, and says its code', () => {
  expect(pass([`before${mark}`])).toEqual({ text: 'before', codes: [42] })
  expect(pass([`a${mark}b${mark}c`])).toEqual({ text: 'abc', codes: [42, 42] })
})

it('knows the mark however it is cut into pieces', () => {
  const text = `before${mark}after`
  for (let cut = 0; cut <= text.length; cut += 1)
    expect(pass([text.slice(0, cut), text.slice(cut)])).toEqual({ text: 'beforeafter', codes: [42] })
  expect(pass(text.split(''))).toEqual({ text: 'beforeafter', codes: [42] })
})

it('lets everything else through, byte by byte', () => {
  for (const text of [
    '\u001B',
    '\u001B]7777;',
    '\u001B]7777;124;0\u0007',
    '\u001B]7777;123;x\u0007',
    '\u001B]7777;123;1234',
  ])
    for (const chunks of [[text], text.split('')]) expect(pass(chunks)).toEqual({ text, codes: [] })
  expect(pass([`\u001B]7777;123;\u001B]77${mark}`])).toEqual({
    text: '\u001B]7777;123;\u001B]77',
    codes: [42],
  })
})

it('holds nothing back that cannot become a mark', () => {
  const filter = createEndFilter({ token: '123' }, () => undefined)
  expect(filter.take(Buffer.from('text\u001B[0m')).toString()).toBe('text\u001B[0m')
  expect(filter.take(Buffer.from('text\u001B')).toString()).toBe('text')
})
