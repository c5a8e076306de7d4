import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { removeTree, resolveInside } from './folders.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holm-folders-'))
  for (const name of ['upper/etc', 'lower/usr/bin', 'lower/etc'])
    await mkdir(path.join(folder, name), { recursive: true })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const layers = (): string[] => [path.join(folder, 'upper'), path.join(folder, 'lower')]

it('keeps absolute links and .. inside', async () => {
  await symlink('/etc', path.join(folder, 'lower/workspace'))
  await symlink('../../../../../../etc', path.join(folder, 'lower/up'))
  expect(resolveInside(layers(), '/workspace/file')).toEqual({
    inner: '/etc/file',
    exists: false,
    directory: false,
  })
  expect(resolveInside(layers(), '/up')).toEqual({ inner: '/etc', exists: true, directory: true })
  expect(resolveInside(layers(), '/../../usr/bin')).toEqual({
    inner: '/usr/bin',
    exists: true,
    directory: true,
  })
})

it('looks into the upper layer first', async () => {
  await writeFile(path.join(folder, 'upper/etc/x'), '')
  await mkdir(path.join(folder, 'lower/etc/x'))
  expect(resolveInside(layers(), '/etc/x')).toMatchObject({ exists: true, directory: false })
})

it('ends for links in a circle', async () => {
  await symlink('round', path.join(folder, 'lower/round'))
  expect(resolveInside(layers(), '/round').inner).toBe('/round')
})

it('removes closed folders, and a link but not what it leads to', async () => {
  const closed = path.join(folder, 'tree/closed')
  await mkdir(closed, { recursive: true })
  await writeFile(path.join(folder, 'kept'), '')
  await symlink(folder, path.join(closed, 'link'))
  await chmod(closed, 0o000)
  await removeTree(path.join(folder, 'tree'))
  expect([existsSync(path.join(folder, 'tree')), existsSync(path.join(folder, 'kept'))]).toEqual([
    false,
    true,
  ])
})
