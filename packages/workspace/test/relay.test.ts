import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import { relay } from '../src/ports/scripts.ts'

/** Those that the script asks for, with what it needs beside them. */
const tools = ['socat', 'perl', 'python3', 'node', 'busybox', 'bash'] as const

function whereIs(name: string): string | undefined {
  const { stdout } = spawnSync('/bin/sh', ['-c', 'command -v "$1"', 'sh', name], { encoding: 'utf8' })
  return stdout.trim() || undefined
}

/** A folder for PATH in which there is only the one tool. */
function onlyTool(name: string, path: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'holm-relay-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const each of ['sh', 'cat', 'sleep']) symlinkSync(whereIs(each) ?? '', join(folder, each))
  // Some are scripts themselves, and need all that this machine has.
  const quoted = `'${(process.env['PATH'] ?? '').replaceAll("'", String.raw`'\''`)}'`
  writeFileSync(join(folder, name), `#!/bin/sh\nPATH=${quoted} exec ${path} "$@"\n`, { mode: 0o755 })
  return folder
}

async function listen(server: Server, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

function run(folder: string, port: number) {
  const child = spawn('/bin/sh', ['-c', relay, 'holm', String(port)], { env: { PATH: folder } })
  child.stdin.on('error', () => undefined)
  onTestFinished(() => void child.kill('SIGKILL'))
  const code = new Promise<number | null>((resolve) => child.once('close', resolve))
  return { child, code }
}

describe.each(tools)('through %s', (name) => {
  it(
    'bytes pass both ways at once, and the end of what is sent is seen',
    { timeout: 60_000 },
    async (ctx) => {
      const path = whereIs(name) ?? ''
      if (path === '') ctx.skip(`${name} is not installed`)
      // An echo writes while it is written to: who copies one way at a time gets stuck.
      const port = await listen(
        createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket)),
        '127.0.0.1',
      )
      const { child, code } = run(onlyTool(name, path), port)
      const sent = randomBytes(2_000_000)
      child.stdin.end(sent)
      expect((await buffer(child.stdout)).equals(sent)).toBe(true)
      await code
    },
  )

  it(
    'ends when the other side does, with nothing more to come from here',
    { timeout: 60_000 },
    async (ctx) => {
      const path = whereIs(name) ?? ''
      if (path === '') ctx.skip(`${name} is not installed`)
      const port = await listen(
        createServer((socket) => void socket.end('good bye')),
        '127.0.0.1',
      )
      const { child, code } = run(onlyTool(name, path), port)
      expect(await text(child.stdout)).toBe('good bye')
      expect(await code).toBe(0)
    },
  )

  it('ends with another code than 0 where nobody listens', { timeout: 60_000 }, async (ctx) => {
    const path = whereIs(name) ?? ''
    if (path === '') ctx.skip(`${name} is not installed`)
    const server = createServer()
    const port = await listen(server, '127.0.0.1')
    await new Promise((resolve) => server.close(resolve))
    const { child, code } = run(onlyTool(name, path), port)
    child.stdin.end()
    expect(await code).not.toBe(0)
  })
})

it('finds what listens on IPv6 alone', { timeout: 60_000 }, async (ctx) => {
  const [name = '', path = ''] =
    tools.map((each) => [each, whereIs(each)] as const).find(([, where]) => where !== undefined) ?? []
  const server = createServer((socket) => void socket.end('six'))
  const port = await listen(server, '::1').catch(() => 0)
  if (path === '' || port === 0) ctx.skip('there is no IPv6, or no tool, on this machine')
  const { child } = run(onlyTool(name, path), port)
  expect(await text(child.stdout)).toBe('six')
})

it('says so where there is no tool at all', async () => {
  const { child, code } = run(onlyTool('true', '/bin/true'), 1)
  expect(await text(child.stderr)).toContain('none of socat, perl')
  expect(await code).toBe(127)
})
