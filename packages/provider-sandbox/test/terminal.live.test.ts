import type { ExecRequest, Provider, ProviderContext } from '@holm/core'
import { collect, createSpec, createTestContext } from '@holm/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { caller, createSubject, runner, whyNot, type TestSubject } from './subject.ts'

const context = (): ProviderContext => createTestContext({ runner })

for (const backend of ['bwrap', 'unshare'] as const) {
  const reason = await whyNot(backend)
  const label = `terminals (${backend}, ${caller.name})${reason === undefined ? '' : `: ${reason}`}`
  describe(label, { skip: reason !== undefined }, () => {
    let subject: TestSubject
    let provider: Provider
    beforeAll(async () => {
      subject = await createSubject(backend)
      provider = subject.provider
      for (const name of ['one', 'two']) {
        await provider.create(createSpec({ name }), context())
        await provider.start(name, context())
      }
    })
    afterAll(async () => {
      for (const name of ['one', 'two']) await provider.remove(name, { volumes: true }, context())
      await subject.dispose()
    })

    const open = async (script: string, request: Partial<ExecRequest> = {}, name = 'one') =>
      provider.exec(
        name,
        { argv: ['sh', '-c', script], stdin: 'pipe', pty: { cols: 90, rows: 30 }, ...request },
        context(),
      )
    /** Runs to the end without input. */
    const run = async (script: string, request: Partial<ExecRequest> = {}, name = 'one') => {
      const process = await open(script, request, name)
      const [text, { code }] = await Promise.all([collectText(process.stdout), process.exited])
      return { code, text }
    }
    const needs = async (program: string, skip: (reason: string) => void): Promise<void> => {
      const { code } = await collect(
        await provider.exec('one', { argv: ['sh', '-c', `command -v ${program}`] }, context()),
      )
      if (code !== 0) skip(`${program} is not installed`)
    }

    it('has a name that leads to it', async () => {
      const { code, text } = await run('t=$(tty) && echo "$t" && echo written >"$t"')
      expect(text).toMatch(/^\/dev\/pts\/\d+\r\nwritten\r\n$/)
      expect(code).toBe(0)
    })

    it('shows no terminal of this machine or of another environment', async () => {
      const held = await open('echo ready; read _')
      for await (const chunk of held.stdout as AsyncIterable<Uint8Array>) {
        if (Buffer.from(chunk).includes('ready')) break
      }
      // Its own is number 0 there, too: the numbers are counted anew in every environment.
      expect((await run('ls /dev/pts', {}, 'two')).text.trim().split(/\s+/)).toEqual(['0', 'ptmx'])
      const { text } = await collect(await provider.exec('one', { argv: ['ls', '/dev/pts'] }, context()))
      expect(text).toBe('0\nptmx\n')
      await held.kill('SIGKILL')
      await held.exited
    })

    it('belongs to the user that the program runs as', async ({ skip }) => {
      if (caller.uid !== 0) skip('without root a sandbox has one user')
      const { text } = await run('id -u; echo mine >"$(tty)"', { user: '65534:65534', cwd: '/' })
      expect(text).toBe('65534\r\nmine\r\n')
    })

    it('passes on words, and the code of a program that a signal ended', async () => {
      const words = [`it's`, 'a "b" $HOME', '', 'ü\n']
      const said = await run('', { argv: ['printf', '<%s>', ...words] })
      expect(said.text).toBe(
        words
          .map((word) => `<${word}>`)
          .join('')
          .replace('\n', '\r\n'),
      )
      expect((await run('kill -KILL $$')).code).toBe(137)
    })

    it('ends with the program, not with what that leaves in the background', async () => {
      expect(await run('sleep 308 & echo left')).toEqual({ code: 0, text: 'left\r\n' })
    })

    it('a kill reaches the program', async () => {
      const process = await open('echo ready; exec sleep 309')
      for await (const chunk of process.stdout as AsyncIterable<Uint8Array>) {
        if (Buffer.from(chunk).includes('ready')) break
      }
      await process.kill('SIGTERM')
      expect((await process.exited).code).toBe(143)
    })

    it('is good enough for tmux', async ({ skip }) => {
      await needs('tmux', skip)
      const inner = `tty >~/inner; stty size >>~/inner`
      const { text } = await run(`tmux -f /dev/null new-session '${inner}' && cat ~/inner`)
      expect(text).toMatch(/\/dev\/pts\/\d+\r\n\d+ 90\r\n$/)
    })

    it('is good enough for script and for terminals of a program', async ({ skip }) => {
      await needs('script', skip)
      await needs('python3', skip)
      expect((await run('script -qec tty /dev/null')).text).toMatch(/^\/dev\/pts\/1\r\n$/)
      const python = `python3 -c 'import pty; pty.spawn(["tty"])'`
      expect((await run(python)).text).toMatch(/^\/dev\/pts\/1\r\n$/)
    })
  })
}

async function collectText(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}
