import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeFolder } from './holm.ts'
import { listFolder, listMachineTraces, listStateRows } from './traces.ts'

let folder: string

beforeEach(() => {
  folder = makeFolder('holm-traces-')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a listing changes with content, mode and entries, and follows no link', () => {
  mkdirSync(join(folder, 'deep'))
  writeFileSync(join(folder, 'deep', 'file'), 'one')
  symlinkSync('/etc', join(folder, 'link'))
  const before = listFolder(folder)
  expect(before.map((line) => line.split(' ').slice(0, 2))).toEqual([
    ['deep', 'folder'],
    ['deep/file', 'file'],
    ['link', 'link'],
  ])
  writeFileSync(join(folder, 'deep', 'file'), 'two')
  expect(listFolder(folder)).not.toEqual(before)
  writeFileSync(join(folder, 'deep', 'file'), 'one')
  expect(listFolder(folder)).toEqual(before)
  chmodSync(join(folder, 'deep', 'file'), 0o600)
  expect(listFolder(folder)).not.toEqual(before)
  expect(listFolder(folder, ['deep'])).toHaveLength(1)
})

test('a process that has the text in its command or variables is found, until it ends', async () => {
  const child = spawn('sleep', ['60'], { env: { TRACE: folder } })
  await once(child, 'spawn')
  await expect.poll(() => listMachineTraces(folder)).toEqual([expect.stringContaining('sleep 60')])
  child.kill('SIGKILL')
  await once(child, 'close')
  expect(listMachineTraces(folder)).toEqual([])
})

test('rows of every table but the event log are found', () => {
  expect(() => listStateRows(folder)).toThrow('no state file')
  const database = new DatabaseSync(join(folder, 'state.db'))
  database.exec("CREATE TABLE events (x); INSERT INTO events VALUES ('kept'); CREATE TABLE leases (port)")
  expect(listStateRows(folder)).toEqual([])
  database.exec('INSERT INTO leases VALUES (8080)')
  expect(listStateRows(folder)).toEqual(['leases {"port":8080}'])
  database.close()
})
