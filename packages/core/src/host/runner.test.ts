import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createRunner, readText } from './runner.ts'

const folder = mkdtempSync(join(tmpdir(), 'holm-runner-'))
afterAll(() => rmSync(folder, { recursive: true }))
const runner = createRunner({ env: { PATH: process.env['PATH'], CANARY: undefined, KEPT: 'a=b' } })

describe.skipIf(process.platform === 'win32')('createRunner', () => {
  it('keeps the streams and the exit code apart', async () => {
    await expect(runner.run(['sh', '-c', 'printf out; printf err >&2; exit 3'])).resolves.toEqual({
      code: 3,
      stdout: 'out',
      stderr: 'err',
    })
  })

  it('gives input and ends it', async () => {
    await expect(runner.run(['cat'], { input: 'a\0b' })).resolves.toMatchObject({ code: 0, stdout: 'a\0b' })
  })

  it('passes arguments as they are, and only the variables that were named', async () => {
    const { stdout } = await runner.run([
      'sh',
      '-c',
      'printf "%s|" "$@"; printf "%s" "${HOME-unset} $KEPT"',
      'x',
      'a b',
      '"$(id)"',
      '',
    ])
    expect(stdout).toBe('a b|"$(id)"||unset a=b')
  })

  it('reports a signal as a shell does', async () => {
    const child = await runner.spawn(['sh', '-c', 'kill -TERM $$'])
    child.stdout.resume()
    child.stderr.resume()
    await expect(child.exited).resolves.toEqual({ code: 143, signal: 'SIGTERM' })
  })

  it('says which program or folder is missing', async () => {
    await expect(runner.run(['holm-no-such-program'])).rejects.toMatchObject({
      code: 'HOLM_TOOL_MISSING',
      details: { program: 'holm-no-such-program' },
    })
    await expect(runner.run(['true'], { cwd: join(folder, 'none') })).rejects.toThrow(join(folder, 'none'))
  })

  it('ends the whole group at the deadline and keeps the output', async () => {
    // The grandchild holds the pipe: only the death of the group lets the output end.
    const running = runner.run(['sh', '-c', 'echo started; sleep 1000 & wait'], { timeoutMs: 300 })
    await expect(running).rejects.toMatchObject({ code: 'HOLM_TIMEOUT', details: { output: 'started\n' } })
  })

  it('ends the group when the signal fires, and does not start after it fired', async () => {
    const controller = new AbortController()
    const child = await runner.spawn(['sh', '-c', 'sleep 1000 & echo ready; wait'], {
      signal: controller.signal,
    })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    child.stdout.resume()
    controller.abort()
    await expect(child.exited).resolves.toMatchObject({ signal: 'SIGTERM' })
    await expect(runner.spawn(['true'], { signal: controller.signal })).rejects.toMatchObject({
      code: 'HOLM_INTERRUPTED',
    })
  })

  it('keeps the output for a reader that comes late', async () => {
    const child = await runner.spawn(['sh', '-c', 'echo out; echo err >&2'])
    await child.exited
    expect(await Promise.all([readText(child.stdout), readText(child.stderr)])).toEqual(['out\n', 'err\n'])
  })

  it('opens a terminal of the wanted size and resizes it', async () => {
    const child = await runner.spawn(
      ['sh', '-c', 'test -t 0 && test -t 1 && stty size; read -r line; stty size; exit 7'],
      { pty: { cols: 91, rows: 33 } },
    )
    const text = readText(child.stdout)
    await new Promise((resolve) => child.stdout.once('data', resolve))
    await child.resize({ cols: 120, rows: 40 })
    child.stdin?.write('go\n')
    expect((await text).replaceAll('\r', '')).toMatch(/33 91\n[\s\S]*40 120\n/)
    await expect(child.exited).resolves.toEqual({ code: 7 })
  })

  it('leaves a detached program running, with its output in the log', async () => {
    const logFile = join(folder, 'log')
    const child = await runner.spawn(['sh', '-c', 'echo hello; exit 4'], { detached: { logFile } })
    expect(child.pid).toBeGreaterThan(1)
    await expect(child.exited).resolves.toEqual({ code: 4 })
    expect(readFileSync(logFile, 'utf8')).toBe('hello\n')
  })
})
