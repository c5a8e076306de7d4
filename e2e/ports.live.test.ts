import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { waitFor } from '@holm/testkit'
import {
  createFaultHolm,
  expectCode,
  expectError,
  prepare,
  subjects,
  type FaultHolm,
} from './faults/support/fault-holm.ts'
import { runProgram } from './support/holm.ts'

interface Line {
  readonly event: string
  readonly inside: number
  readonly here: number
  readonly process: string | null
}

interface Port {
  readonly container: number
  readonly host: number
  readonly forward: boolean
}

let holm: FaultHolm
beforeEach(() => void (holm = createFaultHolm()))
afterEach(() => holm.dispose())

/** Listens on the loopback inside, on a free port that it writes down, until the file is gone. Debian's smallest perl can. */
const server = `
use IO::Socket::INET;
$server = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die;
open F, '>', '/tmp/port.new'; print F $server->sockport; close F; rename '/tmp/port.new', '/tmp/port';
$SIG{ALRM} = sub { exit unless -e '/tmp/port'; alarm 1 }; alarm 1;
while (1) { $client = $server->accept or next; print $client 'inside '; print $client scalar <$client>; close $client }`

async function startServer(): Promise<number> {
  await expectCode(
    holm,
    ['exec', '--', 'sh', '-c', 'setsid perl -e "$1" >/dev/null 2>&1 </dev/null &', 'sh', server],
    0,
  )
  const { stdout } = await expectCode(
    holm,
    ['exec', '--', 'sh', '-c', 'while ! [ -s /tmp/port ]; do sleep 0.1; done; cat /tmp/port'],
    0,
  )
  return Number(stdout)
}

async function ask(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.write('and back\n')
  return text(socket)
}

async function ports(): Promise<readonly Port[]> {
  return JSON.parse((await expectCode(holm, ['port', 'list', '--json'], 0)).stdout) as readonly Port[]
}

describe.each(subjects)('on $provider', (subject) => {
  test(
    'what begins to listen is noticed with its name, reached, and given up when it ends',
    { timeout: 120_000 },
    async (ctx) => {
      const reason = subject.missing()
      if (reason !== undefined) ctx.skip(reason)
      await prepare(holm, subject)
      await expectCode(holm, ['up'], 0)
      const forward = holm.start(['port', 'forward', 'one', '--json'])
      await forward.said('Ctrl-C ends it')
      const inside = await startServer()
      await forward.said(`"inside":${inside}`)
      const mine = (await ports()).filter((each) => each.forward)
      // Nothing of this machine itself, also where its network is shared.
      expect(mine).toMatchObject([{ container: inside, forward: true }])
      const here = mine[0]?.host ?? 0
      expect(await ask(here)).toBe('inside and back\n')
      await expectCode(holm, ['exec', '--', 'rm', '/tmp/port'], 0)
      await forward.said('"event":"closed"')
      forward.kill('SIGINT')
      const { code, stdout } = await forward.ended
      expect(code).toBe(0)
      const events = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Line)
      expect(events.filter(({ event }) => event)).toMatchObject([
        { event: 'forwarded', inside, here, process: 'perl' },
        { event: 'closed', inside, here },
      ])
    },
  )
})

test('a killed forward gives its port back, and leaves nobody inside', { timeout: 120_000 }, async (ctx) => {
  const subject = subjects.find(({ provider }) => provider === 'sandbox')
  if (subject === undefined) throw new Error('the sandbox is no subject of the faults any more')
  const reason = subject.missing()
  if (reason !== undefined) ctx.skip(reason)
  await prepare(holm, subject)
  await expectCode(holm, ['up'], 0)
  const inside = await startServer()
  const forward = holm.start(['port', 'forward', 'one', String(inside)])
  await forward.said(`->  ${inside}`)
  expect(await ports()).toMatchObject([{ container: inside }])
  forward.kill('SIGKILL')
  await forward.ended
  expect(await ports()).toEqual([])
  const look = ['exec', '--', 'sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "; :']
  await waitFor(async () => !(await expectCode(holm, look, 0)).stdout.includes('net/tcp6'), {
    what: 'the look inside to end',
    deadlineMs: 60_000,
  })
  // The port that it had is the first that is tried again.
  const browser = await runProgram(['sh', '-c', 'command -v true'])
  const open = holm.start(['port', 'open', 'one', String(inside)], {
    env: { BROWSER: browser.stdout.trim() },
  })
  await open.said('http://127.0.0.1:')
  open.kill('SIGINT')
  expect(await open.ended).toMatchObject({ code: 0 })
  await expectError(holm, ['port', 'open', 'one'], {
    exit: 2,
    code: 'HOLM_USAGE',
    says: ['publishes no port'],
    hint: 'holm port open one 3000',
  })
  await expectError(holm, ['port', 'forward', 'one', 'web'], {
    exit: 2,
    code: 'HOLM_USAGE',
    says: ['"web"'],
    hint: 'Write 3000',
  })
  await expectError(holm, ['port', 'forward', 'two'], {
    exit: 7,
    code: 'HOLM_ENVIRONMENT_NOT_FOUND',
    says: ['two'],
    hint: 'holm',
  })
})
