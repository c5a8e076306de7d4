import assert from 'node:assert/strict'
import type { Process } from '@holm/core'
import { readAll, tap } from '../collect.ts'
import type { Kit, Suite } from '../kit/kit.ts'
import { waitFor, within } from '../kit/wait-for.ts'

export const ptySuite: Suite = {
  name: 'pty',
  checks: {
    'stdin, stdout and stderr are a terminal': async (kit) => {
      const script = 'test -t 0 && test -t 1 && test -t 2 && echo all'
      assert.equal(await runOnTerminal(kit, ['sh', '-c', script]), 'all\r\n')
    },
    'without a pty nothing is a terminal': async (kit) => {
      const script = 'test -t 0 || test -t 1 || test -t 2 || echo none'
      assert.equal(await kit.output(await kit.shared(), ['sh', '-c', script]), 'none\n')
    },
    'it has the size that was asked for': async (kit) => {
      assert.equal(await runOnTerminal(kit, ['stty', 'size'], { cols: 101, rows: 33 }), '33 101\r\n')
    },
    'a resize is seen inside': async (kit) => {
      const process = await openTerminal(kit, ['sh', '-c', 'while read line; do stty size; done'])
      const out = tap(process.stdout)
      process.stderr.resume()
      process.stdin?.write('\n')
      await waitFor(() => out.text().includes('24 80'), { what: 'the first size' })
      await process.resize({ cols: 120, rows: 50 })
      await waitFor(() => askSize(process, out.text()), { what: 'the size after a resize', intervalMs: 100 })
      process.stdin?.end('\u0004')
      await within(process.exited, { what: 'the end after end-of-transmission' })
    },
    'stdout carries what is written to stderr': async (kit) => {
      const process = await openTerminal(kit, ['sh', '-c', 'echo out; echo err >&2'])
      const [out, error] = await Promise.all([readAll(process.stdout), readAll(process.stderr)])
      assert.equal(out.toString(), 'out\r\nerr\r\n')
      assert.equal(error.length, 0)
      assert.equal((await process.exited).code, 0)
    },
    'the exit code arrives': async (kit) => {
      const process = await openTerminal(kit, ['sh', '-c', 'exit 42'])
      process.stdout.resume()
      process.stderr.resume()
      assert.equal((await within(process.exited, { what: 'the exit of sh' })).code, 42)
    },
    'Ctrl-C interrupts the program': async (kit) => {
      const script = "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.1; done"
      const process = await openTerminal(kit, ['sh', '-c', script])
      const out = tap(process.stdout)
      process.stderr.resume()
      await waitFor(() => out.text().includes('ready'), { what: '"ready" on the terminal' })
      process.stdin?.write('\u0003')
      assert.equal((await within(process.exited, { what: 'the end after Ctrl-C' })).code, 7)
      await within(out.ended, { what: 'the end of the output after Ctrl-C' })
      assert.match(out.text(), /caught/)
    },
  },
}

function askSize(process: Process, soFar: string): boolean {
  if (soFar.includes('50 120')) return true
  process.stdin?.write('\n')
  return false
}

async function openTerminal(
  kit: Kit,
  argv: readonly string[],
  size = { cols: 80, rows: 24 },
): Promise<Process> {
  const process = await kit.exec(await kit.shared(), { argv, stdin: 'pipe', pty: size })
  process.exited.catch(() => undefined)
  kit.onTidy(() => process.kill('SIGKILL').catch(() => undefined))
  return process
}

async function runOnTerminal(
  kit: Kit,
  argv: readonly string[],
  size?: { cols: number; rows: number },
): Promise<string> {
  const process = await openTerminal(kit, argv, size)
  process.stderr.resume()
  const text = (await within(readAll(process.stdout), { what: `the output of ${argv.join(' ')}` })).toString()
  assert.equal((await process.exited).code, 0, text)
  return text
}
