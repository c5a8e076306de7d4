import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { isBelow, isReallyBelow } from './inside-folder.ts'

it.each([
  ['/p', '/p/a', true],
  ['/p', '/p', false],
  ['/p', '/', false],
  ['/p', '/pa', false],
  ['/p', '/q/p', false],
  // Two dots at the begin of a name are no way up.
  ['/p', '/p/..data/x', true],
])('%s holds %s: %s', (folder, path, expected) => {
  expect(isBelow(folder, path)).toBe(expected)
})

it('follows links, as far as the path exists', () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holm-inside-')))
  try {
    mkdirSync(join(folder, 'real'))
    symlinkSync(join(folder, 'real'), join(folder, 'link'))
    expect(isReallyBelow(join(folder, 'real'), join(folder, 'link', 'not', 'yet'))).toBe(true)
    expect(isReallyBelow(join(folder, 'link'), join(folder, 'real', 'x'))).toBe(true)
    expect(isReallyBelow(join(folder, 'link'), folder)).toBe(false)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
