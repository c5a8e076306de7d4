import { chmod, chown, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CheckResult } from '@holm/testkit'
import { expect, it } from 'vitest'
import { caller, loadRootfs, runner } from './subject.ts'

/** Nobody: owns nothing here. */
const uid = 65534
const tables = ['/etc/subuid', '/etc/subgid']
const line = `${uid}:1879048192:65536\n`

interface Answer {
  readonly uid: number
  readonly unavailable?: string
  readonly results: readonly CheckResult[]
}

/** Gives nobody a range of ids for as long as `work` takes. */
async function withIds<T>(work: () => Promise<T>): Promise<T> {
  for (const file of tables) await writeFile(file, line, { flag: 'a' })
  try {
    return await work()
  } finally {
    for (const file of tables) await writeFile(file, (await readFile(file, 'utf8')).replace(line, ''))
  }
}

it('the kit holds for an ordinary user', { timeout: 300_000 }, async ({ skip }) => {
  if (caller.uid !== 0) skip('not root: the other files are run by an ordinary user already')
  const { base, reason } = loadRootfs()
  if (base?.kind !== 'rootfs') {
    skip(reason ?? 'no tarball')
    return
  }
  const home = await mkdtemp(path.join(tmpdir(), 'holm-lxc-nobody-'))
  const tarball = path.join(home, 'rootfs.tar')
  await copyFile(base.path, tarball)
  await chown(tarball, uid, uid)
  await chown(home, uid, uid)
  await chmod(home, 0o700)
  try {
    const asUser = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', process.execPath]
    const script = fileURLToPath(new URL('as-user.ts', import.meta.url))
    const env = { PATH: process.env['PATH'] ?? '', HOME: home, TMPDIR: home, HOLM_TEST_ROOTFS: tarball }
    const options = { env, cwd: '/' }
    const check = 'fs.accessSync(process.argv[1], fs.constants.R_OK)'
    const readable = await runner.run([...asUser, '-e', check, script], options)
    if (readable.code !== 0) skip(`user ${uid} cannot read this checkout, or run this Node`)
    const { code, stdout, stderr } = await withIds(() =>
      runner.run([...asUser, '--conditions=holm-source', script], options),
    )
    expect(code, stderr).toBe(0)
    const answer = JSON.parse(stdout) as Answer
    if (answer.unavailable !== undefined) skip(answer.unavailable)
    expect(answer.uid).toBe(uid)
    expect(answer.results.filter(({ status }) => status === 'failed')).toEqual([])
    expect(answer.results.filter(({ status }) => status === 'passed').length).toBeGreaterThan(110)
  } finally {
    await rm(home, { recursive: true, force: true })
  }
})
