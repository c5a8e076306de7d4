import { existsSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Provider } from '@holm/core'
import { collect, createSpec } from '@holm/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cache, context, loadRootfs, providerOver, whyNot } from './subject.ts'

const reason = await whyNot()
const { base } = loadRootfs()
const remove = { volumes: true }

describe(
  `the memory of a waiting machine${reason === undefined ? '' : `: ${reason}`}`,
  { skip: reason !== undefined, timeout: 240_000 },
  () => {
    let own: string
    let provider: Provider
    const file = (name: string, of: string): string => path.join(own, 'data/test/environments', of, name)
    const start = async (name: string): Promise<void> => {
      await provider.create(createSpec({ name, hostname: name, ...(base ? { base } : {}) }), context())
      await provider.start(name, context())
    }
    const say = async (name: string, script: string): Promise<string[]> => {
      const request = { argv: ['sh', '-c', script], cwd: '/' }
      const { text } = await collect(await provider.exec(name, request, context()))
      return text.trim().split('\n')
    }
    const memories = async (): Promise<string[]> =>
      (await readdir(path.join(own, 'warm'))).map((make) => path.join(own, 'warm', make, 'memory'))

    beforeAll(async () => {
      if (reason !== undefined) return
      own = await mkdtemp(path.join(tmpdir(), "holm qemu'"))
      await fillCache(path.join(own, 'filling'))
      // Kernels are those of all tests, memories are its own: others come and go meanwhile.
      for (const name of ['kernels', 'kernel-package'].filter((each) => existsSync(path.join(cache, each))))
        await symlink(path.join(cache, name), path.join(own, name))
      provider = providerOver(path.join(own, 'data'), own)
    }, 600_000)
    afterAll(async () => {
      if (reason !== undefined) return
      for (const { name } of await provider.list(context())) await provider.remove(name, remove, context())
      await rm(own, { recursive: true, force: true })
    }, 60_000)

    it('is where the next of its make goes on, as another machine', async ({ skip }) => {
      await start('first')
      const { version = '' } = await provider.probe(context())
      if (version.endsWith('KVM')) skip('the processor is not emulated here: a kernel starts in no time')
      const saved = await memories()
      expect(saved).toHaveLength(1)
      expect(await readFile(file('console.log', 'first'), 'utf8')).toContain('holm: waiting')
      await start('second')
      expect(await memories()).toEqual(saved)
      // What the kernel and the wait printed was before the memory was saved.
      const console = await readFile(file('console.log', 'second'), 'utf8')
      expect(console).toContain('holm: ready')
      expect(console).not.toContain('holm: waiting')
      const look =
        'hostname; cat /sys/class/net/eth0/address; head -c 16 /dev/urandom | od -An -tx1; date +%s'
      const first = await say('first', look)
      const since = Date.now() / 1000
      const second = await say('second', look)
      expect([first[0], second[0]]).toEqual(['first', 'second'])
      expect(second[1]).not.toBe(first[1])
      expect(second[2]).not.toBe(first[2])
      expect(Number(second[3])).toBeGreaterThan(since - 10)
      expect(Number(second[3])).toBeLessThan(Date.now() / 1000 + 10)
    })

    it('holds nothing of the environment that it was saved under', async ({ skip }) => {
      const [memory] = await memories()
      if (memory === undefined) skip('none was saved')
      const { token } = JSON.parse(await readFile(file('record.json', 'first'), 'utf8')) as { token: string }
      const bytes = await readFile(memory ?? '')
      expect(bytes.length).toBeGreaterThan(1_000_000)
      expect(bytes.includes(token)).toBe(false)
      expect(bytes.includes(Buffer.from(token).toString('hex'))).toBe(false)
      expect((await stat(path.dirname(memory ?? ''))).mode & 0o77).toBe(0)
    })

    it('is made anew where it is damaged, and the machine starts all the same', async ({ skip }) => {
      const [memory] = await memories()
      if (memory === undefined) skip('none was saved')
      await writeFile(memory ?? '', 'no memory')
      await provider.stop('second', { graceMs: 0 }, context())
      await provider.start('second', context())
      expect(await say('second', 'hostname')).toEqual(['second'])
      expect((await stat(memory ?? '')).size).toBeGreaterThan(1_000_000)
    })
  },
)

/** The kernel is fetched and prepared by the first start. */
async function fillCache(data: string): Promise<void> {
  const provider = providerOver(data)
  await provider.create(createSpec({ name: 'box', ...(base ? { base } : {}) }), context())
  await provider.start('box', context())
  await provider.remove('box', remove, context())
}
