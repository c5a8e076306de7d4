import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createTempFolder, writeFiles } from '../../../test/plugin-fixture.ts'
import { createFolder } from './folders.ts'

test.skipIf(process.platform === 'win32')('a created folder is for this user alone (POSIX modes)', () => {
  const folder = createFolder(join(createTempFolder(), 'a/b'))
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  expect(createFolder(folder)).toBe(folder)
})

test('a folder that cannot be created names the path and the way out', () => {
  const root = createTempFolder()
  writeFiles(root, { file: '' })
  expect(() => createFolder(join(root, 'file/data'))).toThrowError(
    expect.objectContaining({
      code: 'HOLM_CONFIG_UNREADABLE',
      message: expect.stringContaining(join(root, 'file/data')),
      hint: expect.stringContaining('HOLM_HOME'),
    }),
  )
})
