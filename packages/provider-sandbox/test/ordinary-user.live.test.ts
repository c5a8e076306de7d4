import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CheckResult } from '@holm/testkit'
import { expect, it } from 'vitest'
import { caller, runner } from './subject.ts'

/** Nobody: has no entry of its own in /etc/subuid, owns nothing here. */
const uid = 65534

interface Answer {
  readonly uid: number
  readonly unavailable?: string
  readonly results: readonly CheckResult[]
}

// The other files run everything as whoever runs them; root sees here what everybody else gets.
for (const backend of ['bwrap', 'unshare'] as const) {
  it(`the kit holds for an ordinary user (${backend}, host)`, { concurrent: true }, async ({ skip }) => {
    if (caller.uid !== 0) skip('not root: the other files are run by an ordinary user already')
    const home = await mkdtemp(path.join(tmpdir(), 'holm-nobody-'))
    await chown(home, uid, uid)
    try {
      const asUser = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', process.execPath]
      const script = fileURLToPath(new URL('as-user.ts', import.meta.url))
      const options = { env: { PATH: process.env['PATH'] ?? '', HOME: home, TMPDIR: home }, cwd: '/' }
      const readable = await runner.run(
        [...asUser, '-e', 'fs.accessSync(process.argv[1], fs.constants.R_OK)', script],
        options,
      )
      if (readable.code !== 0) skip(`user ${uid} cannot read this checkout, or run this Node`)
      const { code, stdout, stderr } = await runner.run(
        [...asUser, '--conditions=holm-source', script, backend],
        options,
      )
      expect(code, stderr).toBe(0)
      const answer = JSON.parse(stdout) as Answer
      if (answer.unavailable !== undefined) skip(answer.unavailable)
      expect(answer.uid).toBe(uid)
      expect(answer.results.filter(({ status }) => status === 'failed')).toEqual([])
      expect(answer.results.filter(({ status }) => status === 'passed').length).toBeGreaterThan(100)
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  })
}
