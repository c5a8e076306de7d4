import { existsSync } from 'node:fs'
import { chown, copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { createSpec } from '@holm/testkit'
import { expect, it } from 'vitest'
import { cache, context, createSubject, loadRootfs, runner, whyNot } from './subject.ts'

const uid = 65534
const reason = await whyNot()

it('an ordinary user gets the same machine', { timeout: 300_000 }, async ({ skip }) => {
  if (reason !== undefined) skip(reason)
  if (process.getuid?.() !== 0) skip('not root: the other files are run by an ordinary user already')
  const { base } = loadRootfs()
  if (base === undefined) return
  const home = await mkdtemp(path.join(tmpdir(), 'holm-nobody-'))
  try {
    await fillCache(base)
    await runner.run(['cp', '-r', '--reflink=auto', cache, path.join(home, 'cache')])
    const tarball = path.join(home, 'rootfs.tar')
    await copyFile(base.path, tarball)
    await chown(home, uid, uid)
    await runner.run(['chown', '-R', `${uid}:${uid}`, home])
    const asUser = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', process.execPath]
    const script = fileURLToPath(new URL('as-user.ts', import.meta.url))
    const env = { PATH: process.env['PATH'] ?? '', HOME: home, TMPDIR: home, HOLM_TEST_ROOTFS: tarball }
    const readable = ['-e', 'fs.accessSync(process.argv[1], fs.constants.R_OK)', script]
    if ((await runner.run([...asUser, ...readable], { env, cwd: '/' })).code !== 0)
      skip(`user ${uid} cannot read this checkout, or run this Node`)
    const { code, stdout, stderr } = await runner.run([...asUser, '--conditions=holm-source', script], {
      env,
      cwd: '/',
    })
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      uid,
      usable: true,
      seen: {
        id: '0',
        // The owners and modes of the tarball, though one user unpacked it.
        owners: 'root:root 4755\nroot:shadow 640\nroot:root 700\nroot:root 1777',
        // A folder of the user belongs to the user on both sides.
        workspace: `${uid}\n${uid}`,
        // A volume has owners of its own.
        volume: '1234:99 600',
      },
    })
  } finally {
    await rm(home, { recursive: true, force: true })
  }
})

/** The kernel is fetched by the first start. */
async function fillCache(base: NonNullable<ReturnType<typeof loadRootfs>['base']>): Promise<void> {
  if (existsSync(path.join(cache, 'kernels'))) return
  const subject = await createSubject()
  try {
    await subject.provider.create(createSpec({ name: 'box', base }), context())
    await subject.provider.start('box', context())
  } finally {
    await subject.provider.remove('box', { volumes: true }, context())
    await subject.dispose()
  }
}
