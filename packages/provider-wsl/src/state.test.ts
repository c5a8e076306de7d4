import { expect, it } from 'vitest'
import { identify } from './identity.ts'
import type { WslRecord } from './record.ts'
import { stateOf, type Seen } from './state.ts'

const side = 'linux:Me'
const here = identify(side, process.pid)
const dead = { side, pid: 1, start: 'never' }
const holder = { process: here, token: 't', startedAt: '2026-01-02T03:04:05.000Z' }
const record: WslRecord = {
  version: 1,
  name: 'box',
  id: 'id',
  status: 'ready',
  worker: here,
  createdAt: '2026-01-01T00:00:00.000Z',
  labels: {},
  conf: {},
  hostname: 'box',
  env: {},
  mounts: [],
  ports: [],
  resources: { cpus: 2 },
}
const seen = (all: readonly string[], running: readonly string[] = []): Seen => ({
  namespace: 'n',
  side,
  distributions: { all: new Set(all), running: new Set(running) },
})
const box = ['holm.n.box']

interface Case {
  readonly what: string
  readonly more?: Partial<WslRecord>
  readonly all?: readonly string[]
  readonly running?: readonly string[]
  readonly status: string
  readonly reason?: string
}

const elsewhere = { ...dead, side: 'windows' }
const creation = 'its creation was interrupted'
const restoring = 'restoring a snapshot was interrupted'
const outside = 'it was ended from outside (wsl --shutdown, or a restart of Windows)'
const cases: readonly Case[] = [
  { what: 'is being made', more: { status: 'creating' }, status: 'creating' },
  {
    what: 'is being made on the other side',
    more: { status: 'creating', worker: elsewhere },
    status: 'creating',
  },
  {
    what: 'a dead holm was making',
    more: { status: 'creating', worker: dead },
    status: 'failed',
    reason: creation,
  },
  {
    what: 'a dead holm was restoring',
    more: { status: 'restoring', worker: dead },
    status: 'failed',
    reason: restoring,
  },
  {
    what: 'somebody unregistered',
    more: { holder },
    all: [],
    status: 'failed',
    reason: 'its distribution is gone from WSL',
  },
  { what: 'only somebody else uses', running: box, status: 'stopped' },
  { what: 'runs', more: { holder }, running: box, status: 'running' },
  {
    what: 'lost its main process',
    more: { holder: { ...holder, process: dead } },
    running: box,
    status: 'stopped',
    reason: outside,
  },
  {
    what: 'runs from the other side',
    more: { holder: { ...holder, process: elsewhere } },
    running: box,
    status: 'running',
  },
]

it.each(cases)('an environment that $what', ({ more = {}, all = box, running = [], status, reason }) => {
  const state = stateOf({ ...record, ...more }, seen(all, running))
  expect(state.status).toBe(status)
  expect(state.reason).toBe(reason)
  expect(state.startedAt).toBe(status === 'running' ? holder.startedAt : undefined)
  expect(state.limits).toEqual([{ name: 'cpus', value: 2, enforcedBy: null }])
})
