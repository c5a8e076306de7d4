import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import type { Process } from '@holm/core'
import { expect, it, onTestFinished } from 'vitest'
import { ask, deadlineCode, type Exec } from './inside.ts'
import { privateFolder } from './scripts.ts'

/** A program of an environment that is frozen: it says nothing, and a signal does not reach it. */
function frozen(): { exec: Exec; killed: string[] } {
  const killed: string[] = []
  const process = {
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    exited: new Promise<never>(() => undefined),
    kill: (signal: string) => {
      killed.push(signal)
      return new Promise<never>(() => undefined)
    },
  } as unknown as Process
  return { exec: () => Promise.resolve(process), killed }
}

it('answers at its deadline, also when nothing inside can be ended', async () => {
  const { exec, killed } = frozen()
  await expect(ask(exec, { argv: ['true'] }, 20)).resolves.toMatchObject({ code: deadlineCode, stdout: '' })
  expect(killed).toEqual(['SIGKILL'])
})

it('answers at its deadline when the program does not even start', async () => {
  const never: Exec = () => new Promise(() => undefined)
  await expect(ask(never, { argv: ['true'] }, 20)).resolves.toMatchObject({ code: deadlineCode })
})

it.each([
  { what: 'a link', plant: (path: string, other: string) => symlinkSync(other, path), works: false },
  { what: 'a file', plant: (path: string) => execFileSync('touch', [path]), works: false },
  { what: 'nothing', plant: () => undefined, works: true },
  { what: 'its own folder', plant: (path: string) => mkdirSync(path), works: true },
])('uses a folder of its own where $what was', ({ plant, works }) => {
  const name = `test-${process.pid}-${Math.random().toString(36).slice(2)}`
  const path = `/tmp/.holm-${name}-${userInfo().uid}`
  const other = mkdtempSync(join(tmpdir(), 'holm-other-'))
  onTestFinished(() => {
    for (const each of [path, other]) rmSync(each, { recursive: true, force: true })
  })
  plant(path, other)
  const { status, stderr } = spawnSync('/bin/sh', ['-c', `${privateFolder(name)}\n: >"$root/file"`], {
    encoding: 'utf8',
  })
  expect({ works: status === 0, said: stderr.includes(path) }).toEqual({ works, said: !works })
  expect(existsSync(join(path, 'file'))).toBe(works)
})

it('uses no folder of somebody else', (ctx) => {
  if (userInfo().uid !== 0) ctx.skip('only root can give a folder away')
  const name = `test-${process.pid}-other`
  const path = `/tmp/.holm-${name}-0`
  mkdirSync(path)
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  execFileSync('chown', ['65534', path])
  const { status, stderr } = spawnSync('/bin/sh', ['-c', privateFolder(name)], { encoding: 'utf8' })
  expect(status).toBe(1)
  expect(stderr).toContain(path)
})
