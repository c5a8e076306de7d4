import { expect, it } from 'vitest'
import type { WorkspaceRecord } from '../record.ts'
import { chooseWorkers, workerName, workersOf } from './names.ts'

const record = (repository: string, worker?: number): WorkspaceRecord => ({
  name: worker === undefined ? 'fix' : workerName(repository, worker),
  phase: 'ready',
  repository,
  commonDir: '',
  path: '',
  branch: '',
  into: 'main',
  start: '',
  createdAt: '',
  ...(worker !== undefined && { worker }),
})

it('names workers after their repository, within what a name may be', () => {
  expect(workerName('/srv/My Shop_2', 3)).toBe('my-shop-2-worker-3')
  expect(workerName(`/srv/${'x'.repeat(60)}`, 10)).toMatch(/^x{30}-worker-10$/)
  expect(workerName(`/srv/${'x'.repeat(30)}--y`, 1)).toMatch(/^x{30}-worker-1$/)
  expect(workerName('/srv/日本', 1)).toBe('worker-1')
})

it('finds those of a repository, by number, and those that are wanted', () => {
  const all = [record('/a', 10), record('/b', 1), record('/a'), record('/a', 2)]
  const workers = workersOf(all, '/a')
  expect(workers.map(({ worker }) => worker)).toEqual([2, 10])
  expect(chooseWorkers(workers, undefined)).toEqual(workers)
  expect(chooseWorkers(workers, '10, a-worker-2').map(({ worker }) => worker)).toEqual([10, 2])
  expect(() => chooseWorkers(workers, '2,3')).toThrow(
    expect.objectContaining({ code: 'HOLM_WORKSPACE_NOT_FOUND', hint: 'There are: 2, 10' }),
  )
  expect(() => chooseWorkers([], '1')).toThrow(expect.objectContaining({ hint: 'Make some: holm spawn 4' }))
})
