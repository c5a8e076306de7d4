import { execFile } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { root } from './root.ts'

let checkout: string

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), 'holm launcher-'))
  for (const folder of ['bin', '.tools', 'packages/cli/bin', 'packages/cli/dist', 'elsewhere']) {
    mkdirSync(join(checkout, folder), { recursive: true })
  }
  copyFileSync(join(root, 'bin/holm'), join(checkout, 'bin/holm'))
  chmodSync(join(checkout, 'bin/holm'), 0o755)
  const program = 'process.stdout.write(JSON.stringify(process.argv.slice(2))); process.exitCode = 3'
  writeFileSync(join(checkout, 'packages/cli/bin/holm.js'), program)
  writeFileSync(join(checkout, '.tools/node-path'), `${process.execPath}\n`)
})

afterEach(() => {
  rmSync(checkout, { recursive: true, force: true })
})

function launch(
  command: string,
  args: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { promise, resolve } = Promise.withResolvers<{ code: number; stdout: string; stderr: string }>()
  const options = { cwd: join(checkout, 'elsewhere') }
  const child = execFile(command, args, options, (_error, stdout, stderr) =>
    resolve({ code: child.exitCode ?? -1, stdout, stderr }),
  )
  return promise
}

describe.skipIf(process.platform === 'win32')('bin/holm', () => {
  const args = ['exec', '--', 'a b', '', '*', "it's"]

  it('hands arguments and the exit code on unchanged, from any folder', async () => {
    const result = await launch(join(checkout, 'bin/holm'), args)
    expect(result).toEqual({ code: 3, stdout: JSON.stringify(args), stderr: '' })
  })

  it('follows absolute and relative links to itself', async () => {
    symlinkSync(join(checkout, 'bin/holm'), join(checkout, 'elsewhere/absolute'))
    symlinkSync('../bin/holm', join(checkout, 'elsewhere/relative'))
    symlinkSync('relative', join(checkout, 'elsewhere/chain'))
    for (const link of ['absolute', 'relative', 'chain']) {
      expect((await launch(join(checkout, 'elsewhere', link), args)).code, link).toBe(3)
    }
  })

  it('says what to do when nothing is built', async () => {
    rmSync(join(checkout, 'packages/cli/dist'), { recursive: true })
    const { code, stderr } = await launch(join(checkout, 'bin/holm'), [])
    expect(code).toBe(5)
    expect(stderr).toContain('npm start')
  })
})
