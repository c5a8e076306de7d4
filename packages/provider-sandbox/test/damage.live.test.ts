import { readFileSync, readdirSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { ProviderContext } from '@holm/core'
import { collect, createSpec, createTestContext } from '@holm/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { identifySelf } from '../src/lock.ts'
import { caller, createSubject, loadRootfs, runner, whyNot, type TestSubject } from './subject.ts'

const context = (): ProviderContext => createTestContext({ runner })
const resources = { memoryBytes: 256 * 1024 * 1024, pids: 100 }

/** Processes in whose variables or working folder the subject's folder is named, and those inside of its environment. */
function listHeld(subject: TestSubject, marker: string): string[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(marker)
      } catch {
        return false
      }
    })
}

for (const backend of ['bwrap', 'unshare'] as const) {
  const reason = await whyNot(backend)
  const label = `damage (${backend}, ${caller.name})${reason === undefined ? '' : `: ${reason}`}`
  describe(label, { skip: reason !== undefined }, () => {
    let subject: TestSubject
    let folder: string
    /** A number of seconds that no other program of this machine sleeps. */
    let marker: string
    beforeEach(async () => {
      subject = await createSubject(backend)
      folder = path.join(subject.folder, 'data/test/environments/box')
      marker = `31${Date.now()}`
      const { provider } = subject
      await provider.create(createSpec({ name: 'box', resources }), context())
      await provider.start('box', context())
      await collect(
        await provider.exec('box', { argv: ['sh', '-c', `sleep ${marker} >/dev/null 2>&1 &`] }, context()),
      )
      expect(listHeld(subject, marker)).not.toEqual([])
    })
    afterEach(async () => {
      await subject.provider.remove('box', { volumes: true }, context())
      await subject.dispose()
    })

    it.each(['{}', '[]', 'null', '{"version":1,"name":"other"}', '{"name"'])(
      'a record that holds %s is a failed environment, whose processes end with its removal',
      async (text) => {
        await writeFile(path.join(folder, 'record.json'), text)
        const provider = subject.again()
        const broken = {
          name: 'box',
          status: 'failed',
          reason: expect.stringContaining('is damaged') as string,
        }
        expect(await provider.inspect('box', context())).toMatchObject(broken)
        expect(await provider.list(context())).toMatchObject([broken])
        const failed = {
          code: 'HOLM_ENVIRONMENT_FAILED',
          hint: expect.stringContaining('holm destroy box') as string,
        }
        await expect(provider.exec('box', { argv: ['true'] }, context())).rejects.toMatchObject(failed)
        await expect(provider.start('box', context())).rejects.toMatchObject(failed)
        await expect(provider.create(createSpec({ name: 'box' }), context())).rejects.toMatchObject(failed)
        await provider.remove('box', { volumes: false }, context())
        expect(listHeld(subject, marker)).toEqual([])
        expect(await provider.list(context())).toEqual([])
        await provider.create(createSpec({ name: 'box' }), context())
      },
    )

    it('a folder that was removed by hand is a failed environment, whose processes end with its removal', async () => {
      await rm(folder, { recursive: true, force: true })
      const provider = subject.again()
      const broken = { name: 'box', status: 'failed', reason: expect.stringContaining('still run') as string }
      expect(await provider.list(context())).toMatchObject([broken])
      expect(await provider.inspect('box', context())).toMatchObject(broken)
      await provider.remove('box', { volumes: false }, context())
      expect(listHeld(subject, marker)).toEqual([])
      expect(await provider.inspect('box', context())).toMatchObject({ status: 'absent' })
    })

    it('what still runs of a folder that was removed by hand ends before another one takes its name', async () => {
      await rm(folder, { recursive: true, force: true })
      const provider = subject.again()
      await provider.create(createSpec({ name: 'box' }), context())
      expect(listHeld(subject, marker)).toEqual([])
    })

    it('a paused one, whose folder was removed by hand, ends too', async () => {
      await subject.provider.pause?.pause('box', context())
      await rm(folder, { recursive: true, force: true })
      const provider = subject.again()
      await provider.remove('box', { volumes: false }, context())
      expect(listHeld(subject, marker)).toEqual([])
    })
  })
}

describe('named volumes', () => {
  it('that a removal kept are removed when it is asked for later', async ({ skip }) => {
    const reason = await whyNot('unshare')
    if (reason !== undefined) skip(reason)
    const { provider, folder, dispose } = await createSubject('unshare')
    const mounts = [{ type: 'volume', source: 'kept', target: '/kept', readonly: false }] as const
    await provider.create(createSpec({ name: 'box', mounts }), context())
    await provider.start('box', context())
    await collect(await provider.exec('box', { argv: ['touch', '/kept/file'] }, context()))
    await provider.remove('box', { volumes: false }, context())
    const volumes = path.join(folder, 'data/test/volumes')
    expect(readdirSync(path.join(volumes, 'kept'))).toEqual(['file'])
    await provider.remove('box', { volumes: true }, context())
    expect(readdirSync(volumes)).toEqual([])
    expect(readdirSync(path.join(folder, 'data/test'))).not.toContain('kept')
    await dispose()
  })
})

describe('unpacking a base', () => {
  it('removes the drafts of those who died over it, and no other', async ({ skip }) => {
    const { base, ...without } = loadRootfs()
    const reason = 'reason' in without ? without.reason : await whyNot('unshare')
    if (base === undefined || reason !== undefined) skip(reason)
    const { provider, folder, dispose } = await createSubject('unshare')
    const drafts = path.join(folder, 'cache/rootfs')
    const { pid, start, bootId } = identifySelf()
    const boot = bootId.replaceAll('-', '')
    const living = `.draft-${pid}-${start}-${boot}-one`
    const dead = [`.draft-${pid}-1-${boot}-two`, `.draft-${pid}-${start}-0-three`, '.draft-four']
    for (const name of [living, ...dead]) await mkdir(path.join(drafts, name, 'usr'), { recursive: true })
    await provider.create(createSpec({ name: 'box', ...(base && { base }) }), context())
    expect(readdirSync(drafts).filter((name) => name.startsWith('.'))).toEqual([living])
    await provider.remove('box', { volumes: true }, context())
    await dispose()
  })

  it('on a disk that gets full meanwhile says so', async ({ skip }) => {
    const reason = process.getuid?.() === 0 ? await whyNot('unshare') : 'mounting needs root'
    if (reason !== undefined) skip(reason)
    const { provider, folder, dispose } = await createSubject('unshare')
    const cache = path.join(folder, 'cache')
    const tree = path.join(folder, 'tree')
    await mkdir(cache)
    await mkdir(path.join(tree, 'bin'), { recursive: true })
    await writeFile(path.join(tree, 'bin/sh'), Buffer.alloc(6 * 1024 * 1024, 'x'))
    const tarball = path.join(folder, 'big.tar')
    const run = async (...argv: string[]): Promise<void> => {
      const { code, stderr } = await runner.run(argv)
      expect(code, stderr).toBe(0)
    }
    await run('tar', '-cf', tarball, '-C', tree, 'bin')
    const sha256 = await sumOf(tarball)
    await run('mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', cache)
    try {
      const base = { kind: 'rootfs', name: 'big', path: tarball, sha256 } as const
      await expect(provider.create(createSpec({ name: 'box', base }), context())).rejects.toMatchObject({
        code: 'HOLM_DISK_FULL',
        message: expect.stringContaining(cache) as string,
      })
      expect(readdirSync(path.join(cache, 'rootfs'))).toEqual([])
      expect(await provider.list(context())).toEqual([])
    } finally {
      await run('umount', cache)
      await dispose()
    }
  })
})

async function sumOf(file: string): Promise<string> {
  const { createHash } = await import('node:crypto')
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
}
