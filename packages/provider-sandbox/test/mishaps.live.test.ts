import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { isHolmError } from '@holm/core'
import type { ExecRequest, Process, ProviderContext } from '@holm/core'
import { collect, createSpec, createTestContext, waitFor, within } from '@holm/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Holder } from '../src/record.ts'
import { caller, createSubject, runner, whyNot, type TestSubject } from './subject.ts'

const context = (): ProviderContext => createTestContext({ runner })
const resources = { memoryBytes: 256 * 1024 * 1024, pids: 100 }

for (const backend of ['bwrap', 'unshare'] as const) {
  const reason = await whyNot(backend)
  const label = `mishaps (${backend}, ${caller.name})${reason === undefined ? '' : `: ${reason}`}`
  describe(label, { skip: reason !== undefined }, () => {
    let subjects: TestSubject[]
    beforeEach(async () => {
      subjects = [await createSubject(backend), await createSubject(backend)]
      await Promise.all(subjects.map((subject) => start(subject)))
    })
    afterEach(async () => {
      for (const { provider, dispose } of subjects) {
        await provider.remove('box', { volumes: true }, context())
        await dispose()
      }
    })

    const start = async ({ provider }: TestSubject): Promise<void> => {
      await provider.create(createSpec({ name: 'box', resources }), context())
      await provider.start('box', context())
    }
    const first = (): TestSubject => subjects[0] as TestSubject
    const exec = (request: ExecRequest, subject = first()): Promise<Process> =>
      subject.provider.exec('box', request, context())
    const say = async (word: string, subject = first()): Promise<string> =>
      (await collect(await exec({ argv: ['echo', word] }, subject))).text

    it('two holms with one namespace and other folders do not meet', async () => {
      const [one, two] = subjects as [TestSubject, TestSubject]
      await one.provider.stop('box', { graceMs: 0 }, context())
      expect(await say('still here', two)).toBe('still here\n')
      expect((await two.provider.inspect('box', context())).limits.length).toBe(2)
    })

    it.each(['init', 'monitor', 'anchor'] as const)('outlives the end of its %s', async (who) => {
      const { provider, folder } = first()
      const file = path.join(folder, 'data/test/environments/box/record.json')
      const { holder } = JSON.parse(await readFile(file, 'utf8')) as { holder: Holder }
      process.kill(holder[who].pid, 'SIGKILL')
      await waitFor(async () => (await provider.inspect('box', context())).status === 'stopped', {
        what: 'the state stopped',
      })
      await expect(exec({ argv: ['true'] })).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_RUNNING' })
      await provider.start('box', context())
      expect(await say('back')).toBe('back\n')
    })

    it('a program that the memory limit ends takes nothing with it', async ({ skip }) => {
      const { limits } = await first().provider.inspect('box', context())
      if (!limits.some(({ name, enforcedBy }) => name === 'memory' && enforcedBy?.startsWith('cgroup')))
        skip('no control group limits the memory here')
      const script = 'x=$(head -c 400000000 /dev/zero | tr "\\0" x); echo "took ${#x}"'
      expect((await collect(await exec({ argv: ['sh', '-c', script] }))).text).not.toContain('took')
      expect((await first().provider.inspect('box', context())).status).toBe('running')
      expect(await say('alive')).toBe('alive\n')
    })

    it('a stop ends what runs, with and without a terminal, and what begins meanwhile', async () => {
      const argv = ['sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done']
      const plain = await exec({ argv })
      const terminal = await exec({ argv, stdin: 'pipe', pty: { cols: 80, rows: 24 } })
      for (const { stdout, stderr } of [plain, terminal]) {
        stderr.resume()
        await new Promise((resolve) => stdout.once('data', resolve))
        stdout.resume()
      }
      const storm = Array.from({ length: 10 }, async () =>
        collect(await exec({ argv: ['sleep', '310'] })).then(({ code }) => code),
      )
      await first().provider.stop('box', { graceMs: 200 }, context())
      const ends = await within(Promise.all([plain.exited, terminal.exited]), { what: 'the end of both' })
      expect(ends.map(({ code }) => code)).toEqual([137, 137])
      const late = await within(Promise.allSettled(storm), { what: 'the end of all others' })
      const said = late.map((each) =>
        each.status === 'fulfilled'
          ? each.value > 0
          : isHolmError(each.reason, 'HOLM_ENVIRONMENT_NOT_RUNNING'),
      )
      expect(said).toEqual(storm.map(() => true))
    })

    it('words that no program can be given are refused', async () => {
      for (const request of [
        { argv: ['echo', 'a\0b'] },
        { argv: ['true'], cwd: '/a\0b' },
        { argv: ['true'], env: { A: '\0' } },
        { argv: [] },
      ])
        await expect(exec(request)).rejects.toMatchObject({ code: 'HOLM_USAGE' })
    })
  })
}
