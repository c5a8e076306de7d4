import { describe, expect, it } from 'vitest'
import { renderTable } from './table.ts'
import { measureWidth, truncateText } from './width.ts'
import { formatAge, formatBytes, formatDuration } from './units.ts'

describe('renderTable', () => {
  const table = {
    columns: ['name', 'what'],
    rows: [
      ['日本', 'eins\nzwei'],
      ['a', ''],
    ],
  }

  it('aligns by cells, not by characters, and leaves no trailing spaces', () => {
    expect(renderTable(table)).toBe('NAME  WHAT\n日本  eins zwei\na')
  })

  it('shortens the widest column first and never one below six cells', () => {
    const wide = { columns: ['id', 'text'], rows: [['short', 'x'.repeat(50)]] }
    expect(renderTable(wide, { width: 20 })).toBe(`ID     TEXT\nshort  ${'x'.repeat(12)}…`)
    expect(renderTable(wide, { width: 3 })).toBe('ID     TEXT\nshort  xxxxx…')
  })

  it('says what it is told to when it is empty, and the first column only when quiet', () => {
    expect(renderTable({ columns: ['a'], rows: [], empty: 'None.' })).toBe('None.')
    expect(renderTable(table, { quiet: true })).toBe('日本\na')
  })
})

describe('width', () => {
  it.each([
    ['abc', 3],
    ['日本', 4],
    ['é', 1],
    ['e\u0301', 1],
    ['👩‍👩‍👧', 2],
    ['\u001b[31mred\u001b[0m', 3],
    ['', 0],
  ])('measures %j as %i', (text, width) => {
    expect(measureWidth(text)).toBe(width)
  })

  it('never cuts a wide character in half', () => {
    expect(truncateText('日本語', 4)).toBe('日…')
    expect(truncateText('abc', 3)).toBe('abc')
    expect(truncateText('abc', 0)).toBe('')
  })
})

describe('units', () => {
  it('reads well', () => {
    expect([0, 950, 1234, 59_960, 125_000].map(formatDuration)).toEqual([
      '0 ms',
      '950 ms',
      '1.2 s',
      '1 m 00 s',
      '2 m 05 s',
    ])
    expect([0, 512, 1536, 3 * 2 ** 30].map(formatBytes)).toEqual(['0 B', '512 B', '1.5 KiB', '3.0 GiB'])
    const now = Date.parse('2026-01-10T00:00:00Z')
    expect(formatAge('2026-01-09T21:00:00Z', now)).toBe('3 h')
    expect(formatAge(undefined, now)).toBe('-')
    expect(formatAge('nonsense', now)).toBe('-')
  })
})
