import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { connect } from '@holm/sdk'
import { connectSocket } from '@holm/sdk/node'
import { waitFor, within } from '@holm/testkit'
import { afterEach, beforeEach, expect, onTestFinished, test, type TestContext } from 'vitest'
import { root } from '../scripts/root.ts'
import { hasCommand } from '../scripts/testing/machine.ts'
import { createTestHolm, makeFolder, missingBuild, type TestHolm } from './support/holm.ts'
import { startServing, type Serving } from './support/serve.ts'

let holm: TestHolm
let project: string
beforeEach(() => {
  holm = createTestHolm()
  project = makeFolder("holm it's served ")
  writeFileSync(join(project, 'holm.yaml'), 'name: served\nbase: host\n')
})
afterEach(async () => {
  await holm.dispose()
  rmSync(project, { recursive: true, force: true })
})

const environment = 'served'

/** Skips, with the reason, where nothing can be run in a sandbox. */
async function up(ctx: TestContext): Promise<void> {
  const reason = missingBuild() ?? (hasCommand('bwrap') ? undefined : 'bwrap is not installed')
  if (reason !== undefined) ctx.skip(reason)
  await holm.json(['up', '--provider', 'sandbox'], { cwd: project })
}

/** Ends with the test, if it has not before. */
async function serve(...args: readonly string[]): Promise<Serving> {
  const serving = await startServing({ cwd: project, env: holm.env, args })
  onTestFinished(async () => void (await serving.end('SIGKILL')))
  return serving
}

test('a server ends in order, and ends what it started', { timeout: 120_000 }, async (ctx) => {
  await up(ctx)
  const serving = await serve()
  const client = await connect({ url: serving.url, token: serving.token, reconnect: false })
  const script = 'trap "echo ended > ended; exit 7" TERM; echo begun; while :; do sleep 0.1; done'
  const running = await client.exec({ environment, argv: ['sh', '-c', script] })
  const first = await running.stdout.getReader().read()
  expect(new TextDecoder().decode(first.value)).toBe('begun\n')
  const { code, stdout } = await serving.end('SIGTERM')
  expect(await running.exited).toMatchObject({ code: 7 })
  expect(readFileSync(join(project, 'ended'), 'utf8')).toBe('ended\n')
  expect(code).toBe(0)
  expect(stdout.trim().split('\n')).toHaveLength(1)
  expect(existsSync(serving.socket)).toBe(false)
  await waitFor(() => client.state === 'closed', { what: 'the client to notice', deadlineMs: 30_000 })
})

test(
  'a second one is refused, and a killed one is in nobody\u2019s way',
  { timeout: 120_000 },
  async (ctx) => {
    await up(ctx)
    const killed = await serve()
    const second = await holm.run(['serve', '--json'], { cwd: project })
    expect(second.code).toBe(7)
    expect(JSON.parse(second.stdout)).toMatchObject({ error: { code: 'HOLM_SOCKET_TAKEN' } })
    const states: string[] = []
    const client = await connectSocket({ ...killed, onState: (state) => void states.push(state) })
    onTestFinished(() => client.close())
    await killed.end('SIGKILL')
    expect(existsSync(killed.socket)).toBe(true)
    const next = await serve()
    expect(next.token).toBe(killed.token)
    const ran = await client.call(
      'exec.run',
      { environment, argv: ['echo', "it's back"] },
      { timeoutMs: 60_000 },
    )
    expect(ran.stdout).toBe("it's back\n")
    expect(states).toEqual(['connected', 'reconnecting', 'connected'])
  },
)

test('a terminal in a sandbox', { timeout: 120_000 }, async (ctx) => {
  await up(ctx)
  const serving = await serve('--no-port')
  expect(serving.url).toBeNull()
  const client = await connectSocket(serving)
  onTestFinished(() => client.close())
  const argv = ['sh', '-c', 'stty size; read word; stty size; echo "<$word>"']
  const shell = await client.exec({ environment, argv, pty: { cols: 81, rows: 25 } })
  let text = ''
  const all = (async () => {
    for await (const chunk of shell.stdout) text += new TextDecoder().decode(chunk)
  })()
  await waitFor(() => text.includes('25 81'), { what: 'the first size', deadlineMs: 30_000 })
  await shell.resize({ cols: 100, rows: 30 })
  await shell.write('w\u00F6rd\n')
  expect(await shell.exited).toMatchObject({ code: 0 })
  await all
  expect(text).toContain('30 100\r\n<w\u00F6rd>')
})

test('files of a sandbox that has none of this machine', { timeout: 120_000 }, async (ctx) => {
  writeFileSync(join(project, 'holm.yaml'), 'name: served\nbase: host\nproject: false\nworkdir: /tmp\n')
  await up(ctx)
  const serving = await serve()
  const client = await connectSocket(serving)
  onTestFinished(() => client.close())
  const bytes = Uint8Array.from({ length: 700_000 }, (_, index) => index % 256)
  await client.call('fs.mkdir', { environment, path: 'a b/c', recursive: true })
  await client.writeFile({ environment, path: 'a b/c/bytes' }, bytes)
  expect(await client.readFile({ environment, path: 'a b/c/bytes' })).toEqual(bytes)
  const { entries } = await client.call('fs.readdir', { environment, path: 'a b/c' })
  expect(entries).toEqual([{ name: 'bytes', type: 'file' }])
  await client.call('fs.rm', { environment, path: 'a b', recursive: true })
  expect(await client.call('fs.exists', { environment, path: 'a b' })).toEqual({ exists: false })
})

const browser = 'chromium-headless-shell'

/** Runs in the page: uses the SDK as a web page would, and tells what it saw. */
const page = `<!doctype html><meta charset="utf-8"><script type="module">
import { connect, isRemoteError } from '/sdk/index.js'
const { url, token, refused } = JSON.parse(await (await fetch('/config')).text())
const tell = (result) => fetch('/result', { method: 'POST', body: JSON.stringify({ origin: location.origin, result }) })
try {
  const client = await connect({ url, token, reconnect: false })
  const environment = 'served'
  await client.writeFile({ environment, path: 'from page' }, 'gr\\u00FC\\u00DFe')
  const text = new TextDecoder().decode(await client.readFile({ environment, path: 'from page' }))
  const running = await client.exec({ environment, argv: ['sh', '-c', 'cat; exit 5'], stdin: true })
  await running.write('through a pipe')
  await running.end()
  void running.stderr.cancel()
  const output = await new Response(running.stdout).text()
  const { code } = await running.exited
  const error = await client.call('fs.stat', { environment, path: '../x' }).catch((error) => error)
  await tell({ text, output, code, error: isRemoteError(error) ? error.code : String(error) })
  client.close()
} catch (error) {
  await tell({ failed: error.code ?? String(error) })
}
if (location.origin !== refused) location.href = refused
</script>`

interface Told {
  readonly origin: string
  readonly result: Readonly<Record<string, unknown>>
}

test('a web page of an allowed origin, and one of another', { timeout: 120_000 }, async (ctx) => {
  if (!hasCommand(browser)) ctx.skip(`${browser} is not installed`)
  await up(ctx)
  const told: Told[] = []
  let config = {}
  const dist = join(root, 'packages', 'sdk', 'dist')
  const pages = createServer((request, response) => {
    const path = request.url ?? '/'
    if (request.method === 'POST') {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => {
        told.push(JSON.parse(body) as Told)
        response.end()
      })
    } else if (path === '/config') response.end(JSON.stringify(config))
    else if (path.startsWith('/sdk/') && extname(path) === '.js') {
      response.setHeader('content-type', 'text/javascript')
      response.end(readFileSync(join(dist, path.slice('/sdk/'.length))))
    } else {
      response.setHeader('content-type', 'text/html')
      response.end(page)
    }
  })
  await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void pages.close())
  const { port } = pages.address() as AddressInfo
  const [allowed, refused] = [`http://127.0.0.1:${port}`, `http://localhost:${port}`]
  const serving = await serve('--origin', allowed)
  config = { url: serving.url, token: serving.token, refused }
  const profile = mkdtempSync(join(tmpdir(), 'holm-browser-'))
  const words = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-proxy-server',
    '--remote-debugging-port=0',
  ]
  const child = spawn(
    browser,
    [...words, '--disable-background-networking', `--user-data-dir=${profile}`, allowed],
    {
      stdio: 'ignore',
      env: { PATH: process.env['PATH'], HOME: profile },
    },
  )
  const ended = new Promise((resolve) => child.once('close', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await within(ended, { what: 'the browser to end', deadlineMs: 30_000 })
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
  })
  await waitFor(() => told.length === 2, { what: 'both pages to tell what they saw', deadlineMs: 90_000 })
  expect(told).toEqual([
    {
      origin: allowed,
      result: { text: 'gr\u00FC\u00DFe', output: 'through a pipe', code: 5, error: 'HOLM_PATH_OUTSIDE' },
    },
    { origin: refused, result: { failed: 'HOLM_CONNECTION_LOST' } },
  ])
})
