import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { hasCommand } from '../scripts/testing/machine.ts'
import {
  createFaultHolm,
  expectCode,
  prepare,
  subjects,
  type FaultHolm,
  type Subject,
} from './faults/support/fault-holm.ts'
import { describeEnd, runProgram, type Ended } from './support/holm.ts'

let holm: FaultHolm
let home: string
beforeEach(() => {
  holm = createFaultHolm()
  // rsync splits the words of its remote shell at spaces: the one folder without any.
  home = join(holm.folder, 'home-of-the-user')
  mkdirSync(home)
})
afterEach(() => holm.dispose())

function subjectOf(provider: Subject['provider']): Subject {
  const found = subjects.find((subject) => subject.provider === provider)
  if (!found) throw new Error(`${provider} is no subject of the faults any more`)
  return found
}

function missing(): string | undefined {
  const absent = ['ssh', 'scp', 'rsync', 'ssh-keygen'].find((name) => !hasCommand(name))
  return absent === undefined ? undefined : `${absent} is not installed`
}

function writeConfig(...flags: readonly string[]): Promise<Ended> {
  return expectCode(holm, ['ssh-config', ...flags], { exit: 0, env: { HOME: home } })
}

/** A real client with the user's configuration; `-F` because it asks the list of users for the home. */
function client(argv: readonly string[], input?: string): Promise<Ended> {
  const [program = '', ...args] = argv
  const config = join(home, '.ssh', 'config')
  const env = { ...holm.env, HOME: home, HOLM_HOME: undefined, HOLM_NAMESPACE: undefined }
  return runProgram([program, '-F', config, ...args], {
    cwd: holm.project,
    env,
    ...(input !== undefined && { input }),
  })
}

test(
  'ssh, scp and rsync reach an environment by name, and nothing listens',
  { timeout: 120_000 },
  async (ctx) => {
    const sandbox = subjectOf('sandbox')
    const reason =
      missing() ?? sandbox.missing() ?? (hasCommand('sshd') ? undefined : 'sshd is not installed')
    if (reason !== undefined) ctx.skip(reason)
    await prepare(holm, sandbox)
    await expectCode(holm, ['up'], 0)
    await writeConfig()
    const asked = await client(['ssh', 'ws.one', 'cat; cd /workspace && pwd; exit 3'], 'through\n')
    expect(asked, describeEnd(['ssh'], asked)).toMatchObject({
      code: 3,
      stdout: 'through\n/workspace\n',
      stderr: '',
    })
    const bytes = randomBytes(300_000)
    writeFileSync(join(holm.project, 'a b'), bytes)
    const copied = await client(['scp', '-q', join(holm.project, 'a b'), 'holm.one:/tmp/copy'])
    expect(copied, describeEnd(['scp'], copied)).toMatchObject({ code: 0 })
    const back = join(holm.project, 'back')
    const shell = `ssh -F ${join(home, '.ssh', 'config')}`
    const synced = await runProgram(['rsync', '--archive', '--rsh', shell, 'ws.one:/tmp/copy', back], {
      env: holm.env,
    })
    expect(synced, describeEnd(['rsync'], synced)).toMatchObject({ code: 0 })
    expect(readFileSync(back).equals(bytes)).toBe(true)
    expect((await client(['ssh', 'ws.none', 'true'])).stderr).toContain('there is no environment none')
    expect(
      (await expectCode(holm, ['exec', '--', 'sh', '-c', 'cat /proc/[0-9]*/comm'], 0)).stdout,
    ).not.toContain('sshd')
  },
)

test('what lacks sshd says so', { timeout: 120_000 }, async (ctx) => {
  const docker = subjectOf('docker')
  const reason = missing() ?? docker.missing()
  if (reason !== undefined) ctx.skip(reason)
  await prepare(holm, docker)
  await expectCode(holm, ['up'], 0)
  await writeConfig()
  const ended = await client(['ssh', 'ws.one', 'true'])
  expect(ended.code).toBe(255)
  expect(ended.stderr).toContain('add openssh-server to the packages of the blueprint')
})

test('the user’s own configuration is kept, and given back', async (ctx) => {
  const reason = missing()
  if (reason !== undefined) ctx.skip(reason)
  const config = join(home, '.ssh', 'config')
  const own = 'Host other\n  User me\n'
  mkdirSync(join(home, '.ssh'))
  writeFileSync(config, own)
  await writeConfig('--print')
  expect(readFileSync(config, 'utf8')).toBe(own)
  await Promise.all([writeConfig(), writeConfig()])
  const included = readFileSync(config, 'utf8')
  expect(included.match(/^Include /gm)).toHaveLength(1)
  expect(included.endsWith(own)).toBe(true)
  expect(readFileSync(`${config}.before-holm`, 'utf8')).toBe(own)
  const keys = join(holm.home, 'data', 'plugins-data', 'workspace', 'ssh')
  for (const name of ['id_ed25519', 'host_ed25519', 'known_hosts'])
    expect(statSync(join(keys, name)).mode & 0o777).toBe(0o600)
  await writeConfig('--remove')
  expect(readFileSync(config, 'utf8')).toBe(own)
  expect(existsSync(keys)).toBe(true)
})
