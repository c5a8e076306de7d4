import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { root } from '../scripts/root.ts'
import { createFaultHolm, expectCode, listResidue, type FaultHolm } from './faults/support/fault-holm.ts'
import { takeFreePorts } from './support/ports.ts'
import { runtimes, whyNot } from './support/runtimes.ts'

const example = join(root, 'examples', 'board')
const providers = new Set(['docker', 'lxc', 'sandbox'])
const subjects = runtimes.filter(({ provider }) => providers.has(provider))

let holm: FaultHolm
beforeEach(() => void (holm = createFaultHolm()))
afterEach(() => holm.dispose())

function git(...args: readonly string[]): void {
  execFileSync('git', args, { cwd: holm.project, encoding: 'utf8' })
}

/** The example as somebody's repository. The sandbox takes the blueprint's very ports: they are made free ones. */
async function begin(): Promise<void> {
  cpSync(example, holm.project, { recursive: true })
  const path = join(holm.project, 'holm.yaml')
  let blueprint = readFileSync(path, 'utf8')
  const wanted = ['3000', '6379', '8000']
  for (const [index, port] of (await takeFreePorts(wanted.length)).entries())
    blueprint = blueprint.replaceAll(wanted[index] ?? '', String(port))
  writeFileSync(path, blueprint)
  git('init', '--quiet', '--initial-branch=main')
  git('config', 'user.name', 'Ada')
  git('config', 'user.email', 'ada@example.org')
  git('add', '--all')
  git('commit', '--quiet', '--message', 'first')
  await expectCode(holm, ['base', 'add', 'debian-12', process.env['HOLM_TEST_ROOTFS'] ?? ''], 0)
}

interface Answer {
  readonly status: number
  readonly body: string
}

/** As a browser does: it finds every name below localhost here, and says which one it wants. */
async function fetchName(proxy: number, host: string, note?: string): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const path = note === undefined ? '/' : '/notes'
  const method = note === undefined ? 'GET' : 'POST'
  const asked = request({ port: proxy, path, method, headers: { host: `${host}:${proxy}` } }, (response) => {
    text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject)
  })
  asked.on('error', reject)
  asked.end(note)
  return promise
}

interface Listed {
  readonly name: string
  readonly status: string
  readonly problem?: string
}

describe('board, two services and a database', () => {
  test(
    'three workspaces at once, each on a runtime of its own, answer by name and leave nothing',
    { timeout: 600_000 },
    async (ctx) => {
      const usable: string[] = []
      const reasons: string[] = []
      for (const runtime of subjects) {
        const reason = await whyNot(holm, runtime)
        if (reason === undefined) usable.push(runtime.provider)
        else reasons.push(`${runtime.provider}: ${reason}`)
      }
      if (reasons.length > 0) ctx.skip(reasons.join('; '))
      await begin()
      const before = await listResidue(holm)
      const slow = { exit: 0, timeoutMs: 400_000 }
      await Promise.all(
        usable.map((each) => expectCode(holm, ['ws', 'create', `on-${each}`, '--provider', each], slow)),
      )
      const [port = 0] = await takeFreePorts(1)
      const proxy = holm.start(['proxy', '--port', String(port)])
      await proxy.said(`http://localhost:${port}`)
      for (const each of usable) {
        const tests = ['python3', '-m', 'unittest', 'discover', '--start-directory', 'tests']
        await expectCode(holm, ['ws', 'exec', `on-${each}`, '--', ...tests], slow)
        expect(await fetchName(port, `api.on-${each}.localhost`, `note of ${each}`)).toMatchObject({
          status: 201,
        })
      }
      for (const each of usable) {
        const { body } = await fetchName(port, `web.on-${each}.localhost`)
        expect(body).toContain(`Board of on-${each}`)
        for (const other of usable) expect(body.includes(`note of ${other}`)).toBe(other === each)
      }
      await killDatabase(usable[0] ?? '')
      proxy.kill('SIGINT')
      await proxy.ended
      const { stdout } = await expectCode(holm, ['ws', 'list', '--json'], 0)
      expect(JSON.parse(stdout) as Listed[]).toMatchObject(
        usable
          .map((each) => ({ name: `on-${each}`, status: 'running' }))
          .toSorted((a, b) => a.name.localeCompare(b.name)),
      )
      await Promise.all(usable.map((each) => expectCode(holm, ['ws', 'delete', `on-${each}`, '--yes'], slow)))
      expect(readdirSync(join(holm.project, '.worktree'))).toEqual(['.gitignore'])
      expect(await listResidue(holm)).toEqual(before)
    },
  )
})

/** kill -9 of the database: it is started again, and the application finds it. */
async function killDatabase(provider: string): Promise<void> {
  const name = `on-${provider}`
  await expectCode(holm, ['ws', 'exec', name, '--', 'sh', '-c', 'kill -9 $(pgrep -x redis-server)'], 0)
  const deadline = Date.now() + 60_000
  for (;;) {
    const { stdout } = await expectCode(holm, ['service', 'list', '-e', name, '--json'], 0)
    const db = (JSON.parse(stdout) as { name: string; state: string; restarts: number }[]).find(
      (service) => service.name === 'db',
    )
    if (db?.state === 'running' && db.restarts > 0) break
    expect(Date.now(), `the database of ${name} did not come back: ${stdout}`).toBeLessThan(deadline)
    await setTimeout(200)
  }
  const tests = ['python3', '-m', 'unittest', 'discover', '--start-directory', 'tests']
  await expectCode(holm, ['ws', 'exec', name, '--', ...tests], 0)
}
