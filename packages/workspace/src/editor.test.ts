import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { findEditor, openingArgv } from './editor.ts'

function folderOf(...programs: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "it's bin "))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const name of programs) writeFileSync(join(folder, name), '', { mode: 0o755 })
  return folder
}

it('takes the wanted one, that of VISUAL, or the first that is there', () => {
  const folder = folderOf('code', 'zed', 'cursor', 'vim')
  const program = (name: string) => expect.objectContaining({ program: join(folder, name) })
  const PATH = `relative::${folder}`
  expect(findEditor(undefined, { PATH })).toEqual(program('code'))
  expect(findEditor(undefined, { PATH, VISUAL: 'cursor --wait' })).toEqual(program('cursor'))
  expect(findEditor(undefined, { PATH, VISUAL: 'vim' })).toEqual(program('code'))
  expect(findEditor(join(folder, 'zed'), { PATH: '' })).toEqual(program('zed'))
  // One that works on files of this machine alone, and one that is not there.
  expect(findEditor('vim', { PATH })).toBeUndefined()
  expect(findEditor('windsurf', { PATH, VISUAL: 'code' })).toBeUndefined()
  expect(findEditor(undefined, { PATH: '' })).toBeUndefined()
})

it('takes nothing that cannot be run', () => {
  const folder = folderOf('code')
  mkdirSync(join(folder, 'below'))
  chmodSync(join(folder, 'code'), 0o644)
  expect(findEditor(undefined, { PATH: folder })).toBeUndefined()
})

it('opens a folder of the host by the name that ssh knows', () => {
  const where = { host: 'ws.fix', folder: '/work space' }
  expect(openingArgv({ program: '/bin/code', kind: 'vscode' }, where)).toEqual([
    '/bin/code',
    '--remote',
    'ssh-remote+ws.fix',
    '/work space',
  ])
  expect(openingArgv({ program: '/bin/zed', kind: 'zed' }, where)).toEqual([
    '/bin/zed',
    'ssh://ws.fix/work%20space',
  ])
})
