import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { identify } from './identity.ts'
import { withLock } from './lock.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holm-wsl-lock-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const side = 'linux:Me'
const lock = <T>(action: () => Promise<T>, in_ = folder): Promise<T> =>
  withLock({ folder: in_, name: 'box', side }, action)
const written = (owner: object): Promise<void> => writeFile(path.join(folder, 'lock'), JSON.stringify(owner))

it('one at a time, and nothing is left', async () => {
  await lock(async () => {
    await expect(lock(async () => undefined)).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_BUSY' })
  })
  await expect(lock(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await readdir(folder)).toEqual([])
})

it('of many at once all that are refused are told so', async () => {
  const settled = await Promise.allSettled(Array.from({ length: 20 }, () => lock(async () => 'in')))
  expect(settled.some(({ status }) => status === 'fulfilled')).toBe(true)
  for (const each of settled)
    expect(each).toMatchObject(
      each.status === 'fulfilled' ? { value: 'in' } : { reason: { code: 'HOLM_ENVIRONMENT_BUSY' } },
    )
})

it('what a killed holm locked is taken over; what the other side locked is not', async () => {
  await written({ ...identify(side, process.pid), start: 'before the last boot' })
  expect(await lock(async () => 'in')).toBe('in')
  await written({ side: 'windows', pid: 4, start: '' })
  await expect(lock(async () => 'in')).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_BUSY' })
  await writeFile(path.join(folder, 'lock'), 'half a fi')
  expect(await lock(async () => 'in')).toBe('in')
})

it('without an environment there is nothing to lock', async () => {
  await expect(lock(async () => 'in', path.join(folder, 'gone'))).rejects.toMatchObject({
    code: 'HOLM_ENVIRONMENT_NOT_FOUND',
  })
})
