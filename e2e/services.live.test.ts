import { createServer, type AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { waitFor } from '@holm/testkit'
import { hasCommand } from '../scripts/testing/machine.ts'
import {
  createFaultHolm,
  expectCode,
  expectError,
  listResidue,
  prepare,
  subjects,
  type FaultHolm,
} from './faults/support/fault-holm.ts'

interface Service {
  readonly name: string
  readonly state: string
  readonly exitCode: number | null
  readonly restarts: number
}

let holm: FaultHolm
beforeEach(() => void (holm = createFaultHolm()))
afterEach(() => holm.dispose())

async function services(): Promise<readonly Service[]> {
  return JSON.parse((await expectCode(holm, ['service', 'list', '--json'], 0)).stdout) as readonly Service[]
}

async function states(): Promise<string> {
  return (await services()).map(({ name, state }) => `${name} ${state}`).join(', ')
}

/** A task counts as healthy a moment before it has ended. */
async function expectStates(expected: string): Promise<void> {
  const what = `the services to be: ${expected}`
  await waitFor(async () => (await states()) === expected, { what, deadlineMs: 30_000, intervalMs: 200 })
}

async function inside(script: string): Promise<string> {
  return (await expectCode(holm, ['exec', '--', 'sh', '-c', script], 0)).stdout.trim()
}

/** Written with what every base has: each service tells in one file when it begins and ends. */
const chain = `services:
  web:
    command: [sh, -c, 'echo "web $WORD" >> /tmp/order; trap "echo web-end >> /tmp/order; exit 0" TERM; touch /tmp/web-ready; while :; do sleep 0.1; done']
    depends_on: [task]
    environment: { WORD: "it's \\"quoted\\" $HOME" }
    healthcheck: { command: test -f /tmp/web-ready, interval: 100ms }
  task:
    command: echo task >> /tmp/order; touch /tmp/task-ready
    depends_on: [db]
    healthcheck: { command: test -f /tmp/task-ready, interval: 100ms }
  db:
    command: 'echo db >> /tmp/order; trap "echo db-end >> /tmp/order; exit 0" TERM; sleep 0.5; touch /tmp/db-ready; while :; do sleep 0.1; done'
    healthcheck: { command: test -f /tmp/db-ready, interval: 100ms }
    restart: always
`

describe.each(subjects)('on $provider', (subject) => {
  test(
    'services start in order, each healthy first, and end in the other',
    { timeout: 120_000 },
    async (ctx) => {
      const reason = subject.missing()
      if (reason !== undefined) ctx.skip(reason)
      await prepare(holm, subject, chain)
      const before = await listResidue(holm)
      await expectCode(holm, ['up'], 0)
      expect(await inside('cat /tmp/order')).toBe(`db\ntask\nweb it's "quoted" $HOME`)
      await expectStates('db running, task exited, web running')
      await expectCode(holm, ['up'], 0)
      expect(await inside('wc -l < /tmp/order')).toBe('3')
      await expectCode(holm, ['service', 'stop', 'db'], 0)
      await expectStates('db stopped, task exited, web stopped')
      expect(await inside('tail -n 2 /tmp/order')).toBe('web-end\ndb-end')
      await inside('rm /tmp/order /tmp/*-ready')
      await expectCode(holm, ['service', 'start'], 0)
      expect(await inside('cat /tmp/order')).toBe(`db\ntask\nweb it's "quoted" $HOME`)
      await expectCode(holm, ['stop'], 0)
      await expectCode(holm, ['start'], 0)
      await expectStates('db running, task exited, web running')
      await expectCode(holm, ['destroy', '--yes'], 0)
      expect(await listResidue(holm)).toEqual(before)
    },
  )

  test('a service that dies is started again, and its log is kept', { timeout: 120_000 }, async (ctx) => {
    const reason = subject.missing()
    if (reason !== undefined) ctx.skip(reason)
    await prepare(
      holm,
      subject,
      `services:\n  db:\n    command: 'echo begins; echo $$ > /tmp/pid; exec sleep 1000'\n    restart: on-failure\n`,
    )
    await expectCode(holm, ['up'], 0)
    await inside('while ! [ -s /tmp/pid ]; do sleep 0.1; done; kill -9 "$(cat /tmp/pid)"')
    await waitFor(async () => (await services())[0]?.restarts === 1, {
      what: 'the restart',
      deadlineMs: 60_000,
    })
    await expectStates('db running')
    expect((await expectCode(holm, ['service', 'logs', 'db'], 0)).stdout).toBe('begins\nbegins\n')
  })

  test('one whose supervisor was killed runs once, not twice', { timeout: 120_000 }, async (ctx) => {
    const reason = subject.missing()
    if (reason !== undefined) ctx.skip(reason)
    // The second of two would find the folder taken, and end.
    const job =
      'mkdir /tmp/only-one || exit 3; trap "rmdir /tmp/only-one; exit 0" TERM; while :; do sleep 0.1; done'
    await prepare(
      holm,
      subject,
      `services:\n  job:\n    command: '${job}'\n    healthcheck: { command: test -d /tmp/only-one, interval: 100ms }\n`,
    )
    await expectCode(holm, ['up'], 0)
    const supervisors = 'for each in /tmp/.holm-services-*/job/pid; do kill -9 "$(cat "$each")"; done'
    await inside(supervisors)
    await expectStates('job stopped')
    await expectCode(holm, ['service', 'start'], 0)
    await expectStates('job running')
    await inside(supervisors)
    await expectCode(holm, ['service', 'stop'], 0)
    expect(await inside('test -d /tmp/only-one || echo gone')).toBe('gone')
  })

  test('one that fails is named with its reason and its last words', { timeout: 120_000 }, async (ctx) => {
    const reason = subject.missing()
    if (reason !== undefined) ctx.skip(reason)
    await prepare(
      holm,
      subject,
      `services:\n  db: { command: 'echo no config >&2; exit 3', healthcheck: { command: 'false', interval: 50ms, retries: 1000 } }\n  web: { command: sleep 1000, depends_on: [db] }\n`,
    )
    const failed = {
      exit: 7,
      code: 'HOLM_SERVICE_FAILED',
      says: ['service db', 'ended with 3', 'no config'],
      hint: 'holm service logs db',
    }
    await expectError(holm, ['up'], failed)
    expect(await services()).toMatchObject([
      { name: 'db', state: 'exited', exitCode: 3 },
      { name: 'web', state: 'stopped' },
    ])
    await expectError(holm, ['service', 'logs', 'dv'], {
      exit: 7,
      code: 'HOLM_SERVICE_NOT_FOUND',
      says: ['"dv"'],
      hint: 'db, web',
    })
  })
})

const sandbox = subjects.find(({ provider }) => provider === 'sandbox')
if (!sandbox) throw new Error('the sandbox is no subject of the faults any more')

/** A port that nobody has at the moment. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Answers /ok with 200 and all else with 503, a moment after its start. Debian's smallest perl can. */
const serverOf = (port: number): string => `
  select undef, undef, undef, 0.3;
  $server = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', LocalPort => ${port}, ReuseAddr => 1) or die;
  while ($client = $server->accept) {
    $first = <$client>;
    while (<$client>) { last if /^\\r?$/ }
    $status = $first =~ m{ /ok } ? '200 OK' : '503 Not Now';
    print $client "HTTP/1.1 $status\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n";
    close $client;
  }`

test(
  'ports and addresses are asked until they answer, and not for ever',
  { timeout: 120_000 },
  async (ctx) => {
    const reason = sandbox.missing() ?? (hasCommand('perl') ? undefined : 'perl is not installed')
    if (reason !== undefined) ctx.skip(reason)
    const port = await freePort()
    const blueprint = (path: string, retries: number): string =>
      `services:
  web:
    command: ${JSON.stringify(['perl', '-MIO::Socket::INET', '-e', serverOf(port)])}
    ports: ["${port}:${port}"]
    healthcheck: { url: "http://127.0.0.1:${port}/${path}", interval: 100ms, retries: ${retries} }
  late:
    command: sleep 1000
    depends_on: [web]
    healthcheck: { port: ${port}, interval: 100ms }
  never:
    command: sleep 1000
    depends_on: [late]
    healthcheck: { port: 1, interval: 20ms, retries: 3 }
`
    await prepare(holm, sandbox, blueprint('ok', 200))
    const failed = { exit: 7, code: 'HOLM_SERVICE_FAILED', hint: 'holm service logs' }
    const never = ['service never', 'did not become healthy', 'nothing listens on port 1']
    const { stderr } = await expectCode(holm, ['up'], 7)
    for (const part of [failed.code, failed.hint, ...never]) expect(stderr).toContain(part)
    await expectStates('web running, late running, never running')
    expect(await inside('echo $HOLM_SERVICE_WEB_URL')).toBe(`http://127.0.0.1:${port}`)
    const proxy = holm.start(['proxy', '--port', '0'])
    await proxy.said('Ctrl-C ends it')
    proxy.kill('SIGINT')
    const { code, stdout } = await proxy.ended
    expect(code).toBe(0)
    expect(stdout).toMatch(
      new RegExp(`^http://web\\.one\\.localhost:\\d+ {2}-> {2}http://127\\.0\\.0\\.1:${port}\\n`),
    )
    await expectCode(holm, ['destroy', '--yes'], 0)
    await prepare(holm, sandbox, blueprint('bad', 60))
    const refused = await expectCode(holm, ['up'], 7)
    for (const part of [failed.code, 'service web', 'answers with 503'])
      expect(refused.stderr).toContain(part)
  },
)
