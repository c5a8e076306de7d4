import { describe, expect, test } from 'vitest'
import { listAnchors, listLinks, matchesShown, parseBlocks, parseConsole } from './markdown.ts'

describe('blocks', () => {
  test('carry the markers before them', () => {
    const page =
      '<!-- needs: docker, rootfs -->\n<!-- exit: 3 -->\n\n```sh\nholm up\n```\ntext\n```\nplain\n```\n'
    expect(parseBlocks(page)).toEqual([
      { language: 'sh', text: 'holm up', line: 4, markers: { needs: ['docker', 'rootfs'], exit: 3 } },
      { language: '', text: 'plain', line: 8, markers: { needs: [], exit: 0 } },
    ])
  })

  test('that do not end, and markers without a block, are errors', () => {
    expect(() => parseBlocks('```sh\nholm up\n')).toThrow('line 1: the block does not end')
    expect(() => parseBlocks('<!-- skip: x -->\ntext\n')).toThrow(
      'line 2: a marker is not followed by a block',
    )
  })
})

describe('console blocks', () => {
  test('are commands with what is shown below', () => {
    expect(parseConsole('$ a\none\n\ntwo\n$ b \\\n> c\n$ d')).toEqual([
      { command: 'a', output: ['one', '', 'two'] },
      { command: 'b \\\nc', output: [] },
      { command: 'd', output: [] },
    ])
  })

  test.each([
    ['a\nb\n', ['a', 'b'], true],
    ['a', ['a'], true],
    ['a  \nb\n\n', ['a', 'b'], true],
    ['took 31 ms (warm)\n', ['took … ms (warm)'], true],
    ['took 31 s\n', ['took … ms'], false],
    ['a\nb\nc\nd\n', ['a', '…', 'd'], true],
    ['a\nd\n', ['a', '…', 'd'], true],
    ['a\nb\n', ['a'], false],
    ['a\n', ['a', 'b'], false],
    ['x.y\n', ['x+y'], false],
    ['NAME     AGE\n', ['NAME  AGE'], true],
    ['NAME AGE\n', ['NAME  AGE'], false],
    ['', [], true],
    ['a\n', [], false],
  ])('%j shown as %j: %s', (output, shown, expected) => {
    expect(matchesShown(output, shown)).toBe(expected)
  })
})

test('anchors are those of GitHub', () => {
  const page = '# One `two`: three?\n## A\n```sh\n# no heading\n```\n## A\n### [link](x.md) é\n'
  expect([...listAnchors(page)]).toEqual(['one-two-three', 'a', 'a-1', 'link-é'])
})

test('links outside of blocks and code', () => {
  const page = '[a](b.md#c) ![d](e.svg "title") `[no](no.md)`\n```\n[no](no.md)\n```\n[f](<g.md>)\n'
  expect(listLinks(page)).toEqual(['b.md#c', 'e.svg', 'g.md'])
})
