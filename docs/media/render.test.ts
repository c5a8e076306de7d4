import { expect, test } from 'vitest'
import { parseLine, renderTerminal } from './render.ts'

const escape = '\u001b'

test('colours, weight and their ends', () => {
  const runs = parseLine(`a${escape}[1;32mok${escape}[22m x${escape}[39m y${escape}[2mz${escape}[0m.   `)
  expect(runs.map(({ text, style }) => [text, style.color, style.bold, style.faint])).toEqual([
    ['a', undefined, false, false],
    ['ok', '#7ee787', true, false],
    [' x', '#7ee787', false, false],
    [' y', undefined, false, false],
    ['z', undefined, false, true],
    ['.', undefined, false, false],
  ])
})

test('the picture has every line, escaped and in its place', () => {
  const svg = renderTerminal(`one\n${escape}[32m<two>${escape}[39m & three\n\n\n`, {
    columns: 80,
    title: 'a "title"',
  })
  expect(svg).toContain('aria-label="a &quot;title&quot;"')
  expect(svg).toContain('>one</text>')
  expect(svg).toContain('fill="#7ee787">&lt;two&gt;</text>')
  expect(svg.match(/<text /g)).toHaveLength(3)
})
