import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { withLock } from './lock.mjs'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holm-lock-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

function plantLock(pid: number): string {
  const owner = join(folder, 'lock', 'owner')
  mkdirSync(join(folder, 'lock'))
  writeFileSync(owner, String(pid))
  return owner
}

it('lets one at a time in, and leaves nothing behind', async () => {
  let inside = 0
  let most = 0
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside)
    await sleep(20)
    inside--
  }
  await Promise.all([withLock(folder, work), withLock(folder, work), withLock(folder, work)])
  expect(most).toBe(1)
  expect(readdirSync(folder)).toEqual([])
})

it('releases the lock when the work fails', async () => {
  const failing = withLock(folder, () => Promise.reject(new Error('no')))
  await expect(failing).rejects.toThrow('no')
  expect(readdirSync(folder)).toEqual([])
})

it('takes over from an owner that is dead or silent', async () => {
  plantLock(2 ** 30)
  expect(await withLock(folder, () => Promise.resolve('after a dead one'))).toBe('after a dead one')
  const owner = plantLock(process.pid)
  utimesSync(owner, 0, 0)
  expect(await withLock(folder, () => Promise.resolve('after a silent one'))).toBe('after a silent one')
})
