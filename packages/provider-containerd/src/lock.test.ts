import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { withLock } from './lock.ts'

let folder: string
let file: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holm lock '))
  file = path.join(folder, 'box')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const signal = new AbortController().signal
const lock = <T>(work: () => Promise<T>): Promise<T> =>
  withLock({ file, what: 'the box', signal, timeoutMs: 10_000 }, work)

it('lets calls in one at a time, and leaves nothing', async () => {
  let inside = 0
  const most = await Promise.all(
    Array.from({ length: 20 }, () =>
      lock(async () => {
        inside += 1
        await Promise.resolve()
        return inside--
      }),
    ),
  )
  expect(Math.max(...most)).toBe(1)
  await expect(lock(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await readdir(folder)).toEqual([])
})

it('has one file while it is held: a kill leaves no other', async () => {
  await lock(async () => expect(await readdir(folder)).toEqual(['box']))
})

it.each([
  ['a process that is gone', () => symlink('4194305 1', file)],
  ['a process whose number was given out again', () => symlink(`${process.pid} 1`, file)],
  ['nobody knows whom', () => writeFile(file, 'half a fi')],
])('takes over from %s', async (_, leave) => {
  await leave()
  expect(await lock(async () => 'in')).toBe('in')
  expect(await readdir(folder)).toEqual([])
})

it('says who is waited for when the time is over', async () => {
  // Process 1 lives as long as the machine does.
  const stat = readFileSync('/proc/1/stat', 'utf8')
  await symlink(`1 ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`, file)
  await expect(
    withLock({ file, what: 'the box', signal, timeoutMs: 0 }, async () => 'in'),
  ).rejects.toMatchObject({
    code: 'HOLM_ENVIRONMENT_BUSY',
    message: expect.stringContaining('the box'),
  })
  expect(await readdir(folder)).toEqual(['box'])
})
