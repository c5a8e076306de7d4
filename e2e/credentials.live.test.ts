import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitFor } from '@holm/testkit'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { hasCommand } from '../scripts/testing/machine.ts'
import {
  cli,
  createFaultHolm,
  expectCode,
  prepare,
  subjects,
  type FaultHolm,
  type Subject,
} from './faults/support/fault-holm.ts'
import { startGitServer, type GitServer } from './support/git-server.ts'
import { describeEnd, runProgram, type Ended } from './support/holm.ts'

const username = 'ada'
/** With what a shell, a URL and a printf would take for something else. */
const password = 's3cr\\et $x"%s'

let holm: FaultHolm
beforeEach(() => void (holm = createFaultHolm()))
afterEach(() => holm.dispose())

function subjectOf(provider: Subject['provider']): Subject {
  const found = subjects.find((subject) => subject.provider === provider)
  if (!found) throw new Error(`${provider} is no subject of the faults any more`)
  return found
}

function git(...args: readonly string[]): string {
  return execFileSync('git', args, { cwd: holm.project, encoding: 'utf8', env: { ...holm.env, ...ownGit() } })
}

/** This machine's git of the test: it knows a password for each of the hosts. */
function ownGit(): NodeJS.ProcessEnv {
  return { GIT_CONFIG_GLOBAL: join(holm.folder, 'gitconfig'), GIT_CONFIG_NOSYSTEM: '1' }
}

function keepPasswords(...servers: readonly string[]): void {
  const kept = join(holm.folder, 'kept')
  const lines = servers.map((server) =>
    server.replace('//', `//${username}:${encodeURIComponent(password)}@`),
  )
  writeFileSync(kept, lines.map((line) => `${line}\n`).join(''))
  writeFileSync(join(holm.folder, 'gitconfig'), `[credential]\n\thelper = store --file=${kept}\n`)
}

function begin(remote: string): void {
  writeFileSync(join(holm.project, '.gitignore'), 'holm.config.json\n')
  git('init', '--quiet', '--initial-branch=main')
  git('config', 'user.name', 'Ada')
  git('config', 'user.email', 'ada@example.org')
  git('add', '--all')
  git('commit', '--quiet', '--message', 'first')
  git('remote', 'add', 'origin', remote)
}

function run(args: readonly string[]): Promise<Ended> {
  return holm.run(args, { env: ownGit() })
}

/** A shell script in a session of a workspace. */
function inside(name: string, script: string, ...words: readonly string[]): Promise<Ended> {
  return run(['ws', 'exec', name, '--', 'sh', '-c', script, 'sh', ...words])
}

async function serve(): Promise<GitServer> {
  const folder = join(holm.folder, 'served')
  mkdirSync(folder)
  const server = await startGitServer({ folder, username, password })
  onTestFinished(server.close)
  server.add('acme/app.git')
  server.add('other.git')
  return server
}

const push = 'git commit --quiet --allow-empty --message "$1" && git push --quiet origin HEAD'

/** Prints where the secret is: in variables, in git's configuration, or in a file that something inside could have written. */
const search = `
env | grep -F "$1"
git config --list 2>/dev/null | grep -F "$1"
grep -rlF "$1" /etc /run /root /tmp /var/tmp /workspace "$HOME" 2>/dev/null
:`

test(
  'git pushes and fetches with the passwords of this machine, which stay here',
  { timeout: 120_000 },
  async (ctx) => {
    const sandbox = subjectOf('sandbox')
    const reason = sandbox.missing()
    if (reason !== undefined) ctx.skip(reason)
    const server = await serve()
    const { host } = server
    const elsewhere = host.replace('127.0.0.1', 'localhost')
    keepPasswords(`http://${host}`, `http://${elsewhere}`)
    await prepare(holm, sandbox)
    begin(`http://${host}/acme/app.git`)
    await Promise.all([
      expectCode(holm, ['ws', 'create', 'fix', '--git-credentials'], { exit: 0, env: ownGit() }),
      expectCode(holm, ['ws', 'create', 'plain'], { exit: 0, env: ownGit() }),
    ])
    const shown = await run(['ws', 'show', 'fix'])
    expect(shown.stdout).toContain(`credentials git, for http://${host}/acme/app.git\n`)
    const pushed = await inside('fix', `${push} && git fetch origin && printenv HOLM_GIT_CREDENTIALS`, 'work')
    expect(pushed.code, describeEnd(['push'], pushed)).toBe(0)
    expect(server.git('acme/app.git', 'log', '-1', '--format=%s', 'holm/fix')).toBe('work')
    // Without the option, and without a session: nothing is asked, nobody waits.
    const plain = await inside('plain', push, 'work')
    expect(plain, describeEnd(['push'], plain)).toMatchObject({ code: 128, stdout: '' })
    const outside = await run(['exec', 'fix', '--', 'git', 'ls-remote', 'origin'])
    expect(outside.code).toBe(128)
    expect(outside.stderr).toContain('holm: git credentials are for sessions of holm workspace exec')
    for (const other of [`http://${elsewhere}/acme/app.git`, `http://${host}/other.git`]) {
      const refused = await inside('fix', 'git ls-remote "$1"', other)
      expect(refused.code).toBe(128)
      expect(refused.stderr).toContain(`holm: git credentials refused for ${other}`)
    }
    const found = await inside('fix', `git fetch --quiet origin; ${search}`, password)
    expect(found.stdout).toBe('')
    expect((await run(['exec', 'fix', '--', 'ls', '-A', '/tmp'])).stdout).not.toContain('.holm-git')
    const events = JSON.parse((await run(['events', 'fix', '--json'])).stdout) as {
      event: Record<string, string>
    }[]
    const told = events.filter(({ event }) => event['type'] === 'access').map(({ event }) => event['outcome'])
    expect(new Set(told)).toEqual(new Set(['given', 'refused']))
    expect(
      execFileSync('sh', ['-c', 'grep -rlF "$1" "$2" || :', 'sh', password, holm.home], { encoding: 'utf8' }),
    ).toBe('')
  },
)

test('ssh sessions have them, too', { timeout: 120_000 }, async (ctx) => {
  const sandbox = subjectOf('sandbox')
  const absent = ['ssh', 'sshd', 'ssh-keygen'].find((name) => !hasCommand(name))
  const reason = sandbox.missing() ?? (absent === undefined ? undefined : `${absent} is not installed`)
  if (reason !== undefined) ctx.skip(reason)
  const server = await serve()
  keepPasswords(`http://${server.host}`)
  await prepare(holm, sandbox)
  begin(`http://${server.host}/acme/app.git`)
  await expectCode(holm, ['ws', 'create', 'fix', '--git-credentials'], { exit: 0, env: ownGit() })
  const home = join(holm.folder, 'home-of-the-user')
  mkdirSync(home)
  await expectCode(holm, ['ssh-config'], { exit: 0, env: { HOME: home } })
  const config = join(home, '.ssh', 'config')
  const ended = await runProgram(
    ['ssh', '-F', config, 'ws.fix', 'cd /workspace && git push --quiet origin HEAD'],
    { env: { ...holm.env, ...ownGit(), HOME: home } },
  )
  expect(ended.code, describeEnd(['ssh'], ended)).toBe(0)
  expect(server.git('acme/app.git', 'branch', '--list')).toContain('holm/fix')
})

/** As git starts what it is configured with: bases without git have it, too. */
const ask = `printf 'protocol=https\\nhost=%s\\npath=%s\\n\\n' "$1" acme/app.git | sh -c "\${GIT_CONFIG_VALUE_4#!} \\"\\$@\\"" sh get`

test(
  'on docker they are asked for and answered, and a killed holm leaves no way',
  { timeout: 120_000 },
  async (ctx) => {
    const docker = subjectOf('docker')
    const reason = docker.missing()
    if (reason !== undefined) ctx.skip(reason)
    keepPasswords('https://example.org', 'https://evil.example')
    await prepare(holm, docker)
    begin('https://example.org/acme/app.git')
    const create = ['ws', 'create', 'fix', '--git-credentials']
    await expectCode(holm, create, { exit: 0, env: ownGit() })
    expect(await inside('fix', ask, 'example.org')).toMatchObject({
      code: 0,
      stdout: `username=${username}\npassword=${password}\n`,
      stderr: '',
    })
    expect(await inside('fix', ask, 'evil.example')).toMatchObject({
      stdout: '',
      stderr: expect.stringContaining('refused for https://evil.example'),
    })
    expect(
      (await inside('fix', `(${ask}) >/dev/null; ${search.replaceAll('$1', '$2')}`, 'example.org', password))
        .stdout,
    ).toBe('')
    // Its standard output is not ended by an environment that goes on: the first line says that the session is there.
    const session = spawn(cli, ['ws', 'exec', 'fix', '--', 'sh', '-c', 'echo begun; exec sleep 600'], {
      cwd: holm.project,
      env: { ...holm.env, ...ownGit() },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(session.stdout, 'data')
    const look = async (): Promise<string> => (await run(['exec', 'fix', '--', 'ls', '-A', '/tmp'])).stdout
    expect(await look()).toContain('.holm-git')
    const ended = once(session, 'exit')
    session.kill('SIGKILL')
    await ended
    await waitFor(async () => !(await look()).includes('.holm-git'), {
      what: 'the relay to end',
      deadlineMs: 60_000,
    })
  },
)
