import { existsSync, lstatSync, readFileSync, readdirSync } from 'node:fs'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createRunner } from '@holm/core/host'
import type { Process } from '@holm/core'
import type { Broker } from './broker.ts'
import { openChannel, type Channel } from './channel.ts'
import { folderVariable, gitSettings } from './scripts.ts'

// The programs are those that run inside; here inside is this machine.
const env = { PATH: process.env['PATH'] ?? '' }
const runner = createRunner({ env })

interface Opened {
  readonly channel: Channel
  readonly folder: string
  readonly relay: Process
  readonly lost: string[]
}

async function open(broker: Broker): Promise<Opened> {
  const lost: string[] = []
  const started: Process[] = []
  const channel = await openChannel({
    exec: async ({ argv, cwd, stdin }) => {
      const relay = await runner.spawn(argv, { ...(cwd !== undefined && { cwd }), ...(stdin && { stdin }) })
      started.push(relay)
      return relay
    },
    broker,
    onLost: (reason) => lost.push(reason),
  })
  onTestFinished(channel.close)
  const [relay] = started
  if (!relay) throw new Error('no relay was started')
  return { channel, folder: channel.env[folderVariable] ?? '', relay, lost }
}

/** Variables of a git inside. */
function inside(variables: Readonly<Record<string, string>>): Record<string, string> {
  const settings = gitSettings.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${index}`, key],
    [`GIT_CONFIG_VALUE_${index}`, value],
  ])
  return {
    ...env,
    ...variables,
    ...(Object.fromEntries(settings) as Record<string, string>),
    GIT_CONFIG_COUNT: String(gitSettings.length),
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
  }
}

function credential(variables: Readonly<Record<string, string>>, verb = 'fill', path = 'acme/app.git') {
  const input = `protocol=https\nhost=example.org\npath=${path}\n${verb === 'fill' ? '' : 'username=ada\npassword=x\n'}\n`
  return runner.run(['git', 'credential', verb], {
    env: inside(variables),
    cwd: '/',
    input,
    timeoutMs: 60_000,
  })
}

function sh(folder: string, script: string) {
  return runner.run(['sh', '-c', script, 'sh', folder], { env, timeoutMs: 60_000 })
}

const secret = '  s3cr\\et\\n $x"y\'%s `id` '
const given = ['username=ada', `password=${secret}`]
const generous = { timeout: 30_000, interval: 20 }

it('carries what git asks and what it is answered, every byte of it, many at once', async () => {
  const heard: (readonly string[])[] = []
  const { channel, folder } = await open(async (fields) => {
    heard.push(fields)
    return given
  })
  expect(lstatSync(folder).mode & 0o777).toBe(0o700)
  const names = ['a', 'b c', 'd', 'e', 'f']
  const answers = await Promise.all(names.map((name) => credential(channel.env, 'fill', name)))
  for (const { code, stdout, stderr } of answers) {
    expect(stderr).toBe('')
    expect(code).toBe(0)
    expect(stdout).toContain(`\nusername=ada\npassword=${secret}\n`)
  }
  expect(heard.map((fields) => fields.join(' ')).toSorted()).toEqual(
    names.map((name) => `protocol=https host=example.org path=${name}`),
  )
  // The last FIFO goes after its answer was read.
  await expect.poll(() => readdirSync(folder).toSorted(), generous).toEqual(['ask', 'helper', 'pid'])
  await channel.close()
  expect(existsSync(folder)).toBe(false)
})

it('says why there is no answer, and takes nothing that git wants kept', async () => {
  const heard: unknown[] = []
  const { channel } = await open(async (fields) => {
    heard.push(fields)
    return ['! git credentials refused: because']
  })
  const refused = await credential(channel.env)
  expect(refused).toMatchObject({ code: 128, stdout: '' })
  expect(refused.stderr).toContain('holm: git credentials refused: because\n')
  expect(heard).toHaveLength(1)
  for (const verb of ['approve', 'reject'])
    expect(await credential(channel.env, verb)).toMatchObject({ code: 0, stdout: '', stderr: '' })
  expect(heard).toHaveLength(1)
})

it('answers nobody without a session, and at once', async () => {
  const { channel } = await open(async () => given)
  await channel.close()
  for (const variables of [{}, channel.env]) {
    const { code, stdout, stderr } = await credential(variables)
    expect({ code, stdout }).toEqual({ code: 128, stdout: '' })
    expect(stderr).toContain('holm: git credentials are for sessions')
  }
})

it('tells those who wait that it ends', async () => {
  const asked = Promise.withResolvers<undefined>()
  const { channel } = await open(() => {
    asked.resolve(undefined)
    return new Promise(() => undefined)
  })
  const waiting = credential(channel.env)
  await asked.promise
  await channel.close()
  const { code, stderr } = await waiting
  expect(code).toBe(128)
  expect(stderr).toContain('the session of holm ended')
})

it('is gone when this end of it is gone without a word', async () => {
  const { folder, relay, lost } = await open(async () => given)
  relay.stdin?.destroy()
  await vi.waitFor(() => expect(existsSync(folder)).toBe(false), generous)
  await vi.waitFor(() => expect(lost).toHaveLength(1), generous)
})

it('says at once that its end inside was killed', async () => {
  const { channel, folder, lost } = await open(async () => given)
  await sh(folder, 'kill -KILL "$(cat "$1/pid")"')
  expect((await credential(channel.env)).stderr).toContain('cannot be asked for any more')
  await vi.waitFor(() => expect(lost).toHaveLength(1), generous)
  await sh(folder, 'rm -rf "$1"')
})

it('bears what programs inside write instead of questions', async () => {
  const heard: (readonly string[])[] = []
  const { channel, folder, lost } = await open(async (fields) => {
    heard.push(fields)
    return given
  })
  await sh(
    folder,
    String.raw`
cd "$1"
ln -s /dev/null 17; : >18; mkdir 19
for line in '' x '../ask host=a' '17' '18' '19' '999999999999' '-1' '1;id' '$(id)' '20 	'; do printf '%s\n' "$line" 1<>ask; done
printf '\000\377\n' 1<>ask
printf '18\tprotocol=https\n' 1<>ask`,
  )
  expect((await credential(channel.env)).stdout).toContain('username=ada')
  // What is no FIFO is never written to.
  expect(readFileSync(`${folder}/18`, 'utf8')).toBe('')
  expect(heard).toHaveLength(5)
  expect(lost).toEqual([])
})

it.each([
  {
    what: 'a line without an end',
    write: 'head -c 100000 /dev/zero | tr "\\000" x',
    reason: 'without an end',
  },
  { what: 'a flood', write: 'echo 1', reason: 'too many questions' },
])('ends with $what', async ({ write, reason }) => {
  const { folder, lost } = await open(async () => undefined)
  // Opened once, while somebody reads; the writer ends with its reader.
  const written = sh(folder, `{ ${write}; echo; } >"$1/ask"`)
  await vi.waitFor(() => expect(lost).toEqual([expect.stringContaining(reason)]), generous)
  await vi.waitFor(() => expect(existsSync(folder)).toBe(false), generous)
  await written
})

it('fails with what the environment says where it cannot be opened', async () => {
  const opened = openChannel({
    exec: () => runner.spawn(['sh', '-c', 'echo "mkfifo: not found" >&2; exit 1'], { stdin: 'pipe' }),
    broker: async () => given,
    onLost: () => undefined,
  })
  await expect(opened).rejects.toMatchObject({ code: 'HOLM_COMMAND_FAILED', message: 'mkfifo: not found' })
})
