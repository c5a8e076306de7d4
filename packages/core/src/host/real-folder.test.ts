import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { resolveFolder } from './real-folder.ts'

test('links are followed; a folder that is gone is named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holm-folder-'))
  const link = join(folder, 'link')
  symlinkSync(folder, link)
  expect(resolveFolder(link, 'HOLM_BLUEPRINT_NOT_FOUND')).toBe(
    resolveFolder(folder, 'HOLM_BLUEPRINT_NOT_FOUND'),
  )
  rmSync(folder, { recursive: true })
  expect(() => resolveFolder(folder, 'HOLM_BLUEPRINT_NOT_FOUND')).toThrow(
    expect.objectContaining({
      code: 'HOLM_BLUEPRINT_NOT_FOUND',
      message: `the folder ${folder} cannot be entered (ENOENT)`,
    }),
  )
})
