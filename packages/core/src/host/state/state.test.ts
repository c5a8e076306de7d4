import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDatabase } from './database.ts'
import { openState, type EnvironmentRecord } from './index.ts'
import { currentProcess, isAlive } from './process-identity.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holm-state-'))
  path = join(folder, 'deep', 'state.db')
})
afterEach(() => rmSync(folder, { recursive: true }))

const record = (name: string, changes: Partial<EnvironmentRecord> = {}): EnvironmentRecord => ({
  namespace: 'holm',
  name,
  provider: 'memory',
  phase: 'ready',
  project: '/p q',
  source: '/p q/holm.yaml',
  hash: 'h',
  createdAt: '2026-01-01T00:00:00.000Z',
  details: { blueprint: 'b', user: 'dev', workdir: '/workspace' },
  ...changes,
})

describe('records', () => {
  it('come back as they were, and another namespace does not see them', () => {
    const state = openState(path, 'holm')
    state.records.put(record('b', { phase: 'creating' }))
    state.records.put(record('a'))
    state.records.put(record('b'))
    expect(state.records.list()).toEqual([record('a'), record('b')])
    expect(state.records.ofProject('/p q')).toHaveLength(2)
    expect(openState(path, 'other').records.list()).toEqual([])
    state.records.remove('a')
    expect(state.records.get('a')).toBeUndefined()
    state.close()
  })

  it('are in a file that only its owner can read', () => {
    openState(path, 'holm').close()
    expect(statSync(path).mode & 0o777).toBe(process.platform === 'win32' ? 0o666 : 0o600)
  })
})

describe('locks', () => {
  it('let one in, tell the other who is there, and open again when the work throws', async () => {
    const state = openState(path, 'holm')
    const other = openState(path, 'holm')
    const work = state.locks.hold('x', 'up', async () => {
      expect(other.locks.holder('x')).toMatchObject({ pid: process.pid, operation: 'up' })
      await expect(other.locks.hold('x', 'destroy', async () => 1)).rejects.toMatchObject({
        code: 'HOLM_ENVIRONMENT_BUSY',
        details: { pid: process.pid, operation: 'up' },
      })
      await expect(other.locks.hold('y', 'up', async () => 'free')).resolves.toBe('free')
      throw new Error('failed')
    })
    await expect(work).rejects.toThrow('failed')
    await expect(other.locks.hold('x', 'up', async () => 2)).resolves.toBe(2)
  })

  it('of a process that was killed are taken over', async () => {
    const script = `
      import { openState } from ${JSON.stringify(import.meta.resolve('./index.ts'))}
      await openState(${JSON.stringify(path)}, 'holm').locks.hold('x', 'up', () => new Promise(() => { console.log('held'); setInterval(() => {}, 1000) }))`
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script])
    await new Promise((resolve) => holder.stdout.once('data', resolve))
    const state = openState(path, 'holm')
    expect(state.locks.holder('x')).toMatchObject({ pid: holder.pid })
    holder.kill('SIGKILL')
    await new Promise((resolve) => holder.once('exit', resolve))
    expect(state.locks.holder('x')).toBeUndefined()
    await expect(state.locks.hold('x', 'destroy', async () => 'mine')).resolves.toBe('mine')
  })

  it.runIf(process.platform === 'linux')('are not fooled by a recycled pid', () => {
    const self = currentProcess()
    expect(isAlive(self)).toBe(true)
    expect(isAlive({ ...self, startedAt: 'another-boot:1' })).toBe(false)
  })
})

describe('events', () => {
  it('keep what is worth keeping, in order', () => {
    const { events } = openState(path, 'holm')
    events.append({ type: 'step-started', environment: 'x', step: 'create' })
    events.append({ type: 'step-done', environment: 'x', step: 'create', elapsedMs: 3 })
    events.append({ type: 'state', environment: 'y', status: 'running' })
    expect(events.list({}).map(({ event }) => event.type)).toEqual(['step-done', 'state'])
    expect(events.list({ environment: 'y' })).toHaveLength(1)
    expect(events.list({ limit: 1 })[0]?.event.type).toBe('state')
  })
})

describe('the state file', () => {
  it('does not wait for the disk at every write, also when it is opened again', () => {
    for (const fresh of [true, false]) {
      const opened = openDatabase(path)
      expect(opened.fresh).toBe(fresh)
      // 1 is NORMAL, https://www.sqlite.org/pragma.html#pragma_synchronous
      expect(opened.database.prepare('PRAGMA synchronous').get()).toEqual({ synchronous: 1 })
      opened.database.close()
    }
  })
})

describe('a damaged state file', () => {
  it('is set aside and named, and an empty one takes its place', () => {
    mkdirSync(join(folder, 'deep'))
    writeFileSync(path, 'this is no database, it is a text that is long enough to be looked at'.repeat(20))
    const state = openState(path, 'holm')
    expect(state.fresh).toBe(true)
    expect(state.backup).toMatch(/state\.db\.damaged-/)
    expect(existsSync(state.backup ?? '')).toBe(true)
    state.records.put(record('a'))
    expect(openState(path, 'holm')).toMatchObject({ fresh: false, backup: undefined })
    expect(state.verify()).toBeUndefined()
  })

  it('is set aside when it is suspect, also when only a later page is damaged', () => {
    const before = openState(path, 'holm')
    before.records.put(record('a'))
    before.close()
    const pages = readFileSync(path)
    pages.fill(0xff, 4096)
    writeFileSync(path, pages)
    const damaged = openState(path, 'holm')
    expect(damaged.backup).toBeUndefined()
    expect(() => damaged.records.list()).toThrow('malformed')
    damaged.close()
    const healed = openState(path, 'holm', { suspect: true })
    expect(healed).toMatchObject({ fresh: true, backup: expect.stringMatching(/damaged-/) as string })
    expect(healed.records.list()).toEqual([])
    healed.close()
    expect(openState(path, 'holm', { suspect: true })).toMatchObject({ fresh: false, backup: undefined })
  })

  it('of a newer version is left alone', async () => {
    openState(path, 'holm').close()
    const { DatabaseSync } = await import('node:sqlite')
    const database = new DatabaseSync(path)
    database.exec('PRAGMA user_version = 99')
    database.close()
    expect(() => openState(path, 'holm')).toThrow(/version 99/)
    expect(readdirSync(join(folder, 'deep')).filter((name) => name.includes('damaged'))).toEqual([])
  })
})

it('a folder that cannot be written is named', (ctx) => {
  if (process.getuid?.() === 0) ctx.skip('root may write everywhere')
  chmodSync(folder, 0o500)
  expect(() => openState(path, 'holm')).toThrow(expect.objectContaining({ code: 'HOLM_CONFIG_UNREADABLE' }))
  chmodSync(folder, 0o700)
})

it('eight processes at once lose nothing', { timeout: 60_000 }, async () => {
  const script = (index: number): string => `
    import { openState } from ${JSON.stringify(import.meta.resolve('./index.ts'))}
    const state = openState(${JSON.stringify(path)}, 'holm')
    for (let i = 0; i < 25; i++) state.records.put({ ...${JSON.stringify(record('x'))}, name: 'p${index}-' + i })`
  const exits = await Promise.all(
    Array.from({ length: 8 }, (_, index) => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script(index)], {
        stdio: ['ignore', 'ignore', 'inherit'],
      })
      return new Promise((resolve) => child.once('exit', resolve))
    }),
  )
  expect(exits).toEqual(Array(8).fill(0))
  expect(openState(path, 'holm').records.list()).toHaveLength(200)
})
