import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describeEnd, runProgram } from '../../support/holm.ts'

const programs = [
  '/bin/sh',
  '/bin/sleep',
  '/bin/cat',
  '/bin/uname',
  '/usr/bin/id',
  '/bin/mkdir',
  '/bin/rm',
  '/usr/bin/mktemp',
  '/usr/bin/env',
  '/usr/bin/tail',
  '/usr/bin/head',
  '/bin/echo',
  '/bin/true',
  '/bin/sync',
]

/** A tarball in `folder` with the loader, a shell and what they need, from this machine. Returns its path. */
export async function makeSmallRootfs(folder: string): Promise<string> {
  const path = join(folder, 'small.tar')
  const needed = await Promise.all(programs.map((program) => runProgram(['ldd', program])))
  const libraries = needed.flatMap(({ stdout }) => stdout.match(/\/\S+/g) ?? [])
  const files = [...new Set([...programs, ...libraries, '/etc/passwd', '/etc/group', '/etc/os-release'])]
  mkdirSync(join(folder, 'tree', 'tmp'), { recursive: true })
  const relative = files.map((file) => file.slice(1))
  const argv = ['tar', '-chf', path, '-C', join(folder, 'tree'), 'tmp', '-C', '/', ...relative]
  const made = await runProgram(argv)
  if (made.code !== 0) throw new Error(describeEnd(argv, made))
  return path
}
