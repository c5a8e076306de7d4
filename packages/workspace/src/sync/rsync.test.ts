import { expect, it } from 'vitest'
import { parseItems } from './rsync.ts'

const none = ' '.repeat(32)
const hash = 'd41d8cd98f00b204e9800998ecf8427e'

it('reads what rsync says of each file', () => {
  const output = [
    'created directory somewhere',
    `cd+++++++++|${none}|a b/`,
    `<f+++++++++|${hash}|a b/it's "q" | x`,
    `<f.st......|${hash}|old`,
    `.f....p....|${none}|mode only`,
    `cL+++++++++|${none}|link`,
    `*deleting  |${none}|gone/`,
    `>f+++++++++|${'0'.repeat(32)}|dry`,
    `<f+++++++++|${hash}|line\\#012end \\#303\\#251 \\#134#012`,
    `<f+++++++++|${hash}|no text \\#377`,
    '',
  ].join('\n')
  const { items, unreadable } = parseItems(output)
  expect(items).toEqual([
    { path: 'a b', kind: 'folder', change: 'sent', isNew: true, hash: undefined },
    { path: `a b/it's "q" | x`, kind: 'file', change: 'sent', isNew: true, hash },
    { path: 'old', kind: 'file', change: 'sent', isNew: false, hash },
    { path: 'mode only', kind: 'file', change: 'set', isNew: false, hash: undefined },
    { path: 'link', kind: 'link', change: 'sent', isNew: true, hash: undefined },
    { path: 'gone', kind: 'folder', change: 'deleted', isNew: false, hash: undefined },
    { path: 'dry', kind: 'file', change: 'sent', isNew: true, hash: undefined },
    { path: 'line\nend é \\#012', kind: 'file', change: 'sent', isNew: true, hash },
  ])
  expect(unreadable).toEqual(['no text \\#377'])
})
