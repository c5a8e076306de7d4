import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  createFaultHolm,
  expectCode,
  expectError,
  listResidue,
  prepare,
  subjects,
  type FaultHolm,
} from './faults/support/fault-holm.ts'
import { signalAtStep } from './faults/support/plugins.ts'

interface Shown {
  readonly name: string
  readonly path: string
  readonly status: string
  readonly problem?: string
}

let holm: FaultHolm
beforeEach(() => void (holm = createFaultHolm()))
afterEach(() => holm.dispose())

function git(...args: readonly string[]): string {
  return execFileSync('git', args, { cwd: holm.project, encoding: 'utf8' }).trimEnd()
}

/** A repository in the project, whose blueprint is for the provider. */
async function begin(subject: (typeof subjects)[number]): Promise<string[]> {
  await prepare(holm, subject)
  return beginWith()
}

/** The same with a blueprint that is there. */
async function beginWith(): Promise<string[]> {
  holm.write('notes.txt', 'one\n')
  holm.write('.gitignore', 'holm-fault.mjs\nholm.config.json\n.env\n')
  git('init', '--quiet', '--initial-branch=main')
  git('config', 'user.name', 'Ada')
  git('config', 'user.email', 'ada@example.org')
  git('add', '--all')
  git('commit', '--quiet', '--message', 'first')
  return listResidue(holm)
}

async function shown(): Promise<readonly Shown[]> {
  return JSON.parse((await expectCode(holm, ['ws', 'list', '--json'], 0)).stdout) as readonly Shown[]
}

/** Git and the machine are as they were. */
async function expectNothingLeft(before: readonly string[]): Promise<void> {
  expect(await shown()).toEqual([])
  expect(git('branch', '--list', 'holm/*')).toBe('')
  expect(git('worktree', 'list').split('\n')).toHaveLength(1)
  expect(git('status', '--short')).toBe('')
  // The folder of worktrees stays, and is empty but for what makes git ignore it.
  expect(await listResidue(holm)).toEqual(before)
}

/** Says what could be written, below the worktree, the shared folder ($1) and the worktree's own in it ($2). */
const attempts = `
try() { said=$1; shift; "$@" 2>/dev/null && echo "$said"; }
put() { echo x >>"$1"; }
try 'a file of the worktree' put new.txt; rm -f new.txt
try '.git' put .git
try '.git by removal' rm -f .git
try '.git by renaming' mv .git other
try 'the configuration' put "$1/config"
try 'the configuration by renaming' mv "$1/config" "$1/other"
try 'a hook' put "$1/hooks/pre-commit"
try 'another worktree' mkdir "$1/worktrees/other"
try 'its shared folder' put "$2/commondir"
try 'its place' put "$2/gitdir"
try 'its place by renaming' mv "$2/gitdir" "$2/other"
try 'its folder by renaming' mv "$2" "$1/other"
try 'the index' touch "$2/index"
try 'an object' mkdir "$1/objects/zz"; rmdir "$1/objects/zz"
:`

/** `create` that gets a signal in the moment its environment starts. */
async function endAtStart(signal: NodeJS.Signals, code: number): Promise<void> {
  signalAtStep(holm, 'start', signal)
  const ended = await holm.run(['ws', 'create', 'fix'])
  expect(ended.code, ended.stderr).toBe(code)
  rmSync(join(holm.project, 'holm.config.json'))
}

describe.each(subjects)('on $provider', (subject) => {
  test(
    'several tasks at once, each with its files, and nothing is left',
    { timeout: 120_000 },
    async (ctx) => {
      const reason = subject.missing()
      if (reason !== undefined) ctx.skip(reason)
      const before = await begin(subject)
      const names = ['one', 'two', 'three']
      await Promise.all(names.map((name) => expectCode(holm, ['ws', 'create', name], 0)))
      await Promise.all(
        names.map((name) =>
          expectCode(holm, ['ws', 'exec', name, '--', 'sh', '-c', `echo ${name} >> notes.txt`], 0),
        ),
      )
      for (const { name, path } of await shown())
        expect(readFileSync(join(path, 'notes.txt'), 'utf8')).toBe(`one\n${name}\n`)
      expect(
        await holm.run(['ws', 'exec', 'two', '--', 'sh', '-c', 'echo $HOLM_WORKSPACE; exit 3']),
      ).toMatchObject({
        code: 3,
        stdout: 'two\n',
      })
      // The shared folder of git is there, and what git runs on this machine cannot be written.
      const config = join(holm.project, '.git', 'config')
      const text = readFileSync(config, 'utf8')
      const attack = `test -r '${config.replaceAll("'", "'\\''")}' && ! echo x >> '${config.replaceAll("'", "'\\''")}'`
      await expectCode(holm, ['ws', 'exec', 'one', '--', 'sh', '-c', attack], 0)
      expect(readFileSync(config, 'utf8')).toBe(text)
      await Promise.all(names.map((name) => expectCode(holm, ['ws', 'delete', name, '--yes'], 0)))
      expect(git('for-each-ref', '--format=%(refname)', 'refs/holm/recovery').split('\n')).toHaveLength(3)
      await expectNothingLeft(before)
    },
  )

  test('workers: one that fails stops none of the others', { timeout: 120_000 }, async (ctx) => {
    const reason = subject.missing()
    if (reason !== undefined) ctx.skip(reason)
    const before = await begin(subject)
    const name = (worker: number): string => `the-user-s-project-worker-${worker}`
    git('branch', `holm/${name(2)}`)
    const spawned = await expectCode(holm, ['spawn', '3', '--json'], 7)
    expect(JSON.parse(spawned.stdout)).toMatchObject([
      { worker: 1, name: name(1), info: { status: 'running' } },
      { worker: 2, error: { code: 'HOLM_WORKSPACE_CONFLICT' } },
      { worker: 3, info: { status: 'running' } },
    ])
    git('branch', '--quiet', '-D', `holm/${name(2)}`)
    await expectCode(holm, ['spawn', '3'], 0)
    const out = join(holm.folder, 'out')
    const command = `echo "$HOLM_WORKSPACE"; echo oops >&2; test "$HOLM_WORKSPACE" != ${name(3)}`
    const ran = await expectCode(holm, ['run', '--parallel', '-o', out, '--json', '--', command], 8)
    expect(JSON.parse(ran.stdout)).toMatchObject(
      [1, 2, 3].map((worker) => ({ worker, code: worker === 3 ? 1 : 0 })),
    )
    const log = readFileSync(join(out, `${name(2)}.log`), 'utf8')
    expect(log.split('\n').toSorted()).toEqual(['', 'oops', name(2)])
    await expectCode(holm, ['run', '-w', '3', '--', 'sh', '-c', 'exit 5'], 5)
    await expectError(holm, ['run', '-w', '4', '--', 'true'], {
      exit: 7,
      code: 'HOLM_WORKSPACE_NOT_FOUND',
      says: ['"4"'],
      hint: '1, 2, 3',
    })
    await expectCode(holm, ['teardown', '--yes'], 0)
    rmSync(join(holm.project, '.worktree', '.runs'), { recursive: true })
    await expectNothingLeft(before)
  })

  test('twenty workers of one golden image, with a service each', { timeout: 600_000 }, async (ctx) => {
    const reason =
      subject.provider === 'docker' ? subject.missing() : 'a sandbox of this machine has no golden image'
    if (reason !== undefined) ctx.skip(reason)
    const slow = { exit: 0, timeoutMs: 500_000 }
    const service = `services: { job: { command: 'test -f /made && touch /tmp/up && exec sleep 1000', healthcheck: { command: test -f /tmp/up, interval: 500ms } } }`
    await prepare(holm, subject, `scripts: { setup: touch /made }\n${service}\n`)
    const before = await beginWith()
    await expectCode(holm, ['build'], slow)
    const spawned = await expectCode(holm, ['spawn', '20', '--json'], slow)
    const workers = JSON.parse(spawned.stdout) as { info?: Shown }[]
    expect(workers.map(({ info }) => info?.status)).toEqual(Array.from({ length: 20 }, () => 'running'))
    const names = (await shown()).map(({ name }) => name)
    expect(new Set(names).size).toBe(20)
    const ran = await expectCode(
      holm,
      ['run', '--parallel', '--json', '--', 'test -f /tmp/up && echo "$HOLM_WORKSPACE"'],
      slow,
    )
    expect((JSON.parse(ran.stdout) as { code: number }[]).map(({ code }) => code)).toEqual(names.map(() => 0))
    await expectCode(holm, ['teardown', '--yes'], slow)
    rmSync(join(holm.project, '.worktree', '.runs'), { recursive: true })
    await expectCode(holm, ['image', 'prune', '--all', '--yes'], slow)
    await expectNothingLeft(before)
  })

  test(
    'a create that is killed is told of, and healed by the next one',
    { timeout: 120_000 },
    async (ctx) => {
      const reason = subject.missing()
      if (reason !== undefined) ctx.skip(reason)
      const before = await begin(subject)
      await endAtStart('SIGKILL', 128)
      expect(await shown()).toMatchObject([{ name: 'fix', problem: expect.stringContaining('half-made') }])
      await expectCode(holm, ['ws', 'create', 'fix'], 0)
      expect(await shown()).toMatchObject([{ name: 'fix', status: 'running' }])
      await expectCode(holm, ['ws', 'delete', 'fix', '--yes'], 0)
      await expectNothingLeft(before)
    },
  )

  test('a create that is interrupted leaves nothing', { timeout: 120_000 }, async (ctx) => {
    const reason = subject.missing()
    if (reason !== undefined) ctx.skip(reason)
    const before = await begin(subject)
    await endAtStart('SIGINT', 130)
    await expectNothingLeft(before)
  })

  test('what leads git on this machine cannot be changed inside', { timeout: 120_000 }, async (ctx) => {
    const reason = subject.missing()
    if (reason !== undefined) ctx.skip(reason)
    const before = await begin(subject)
    await expectCode(holm, ['ws', 'create', 'fix'], 0)
    const shared = join(holm.project, '.git')
    const { stdout } = await expectCode(
      holm,
      ['ws', 'exec', 'fix', '--', 'sh', '-c', attempts, 'sh', shared, join(shared, 'worktrees', 'fix')],
      0,
    )
    expect(stdout).toBe('a file of the worktree\nthe index\nan object\n')
    await expectCode(holm, ['ws', 'delete', 'fix', '--yes'], 0)
    await expectNothingLeft(before)
  })
})

/** Only its base has git. */
const sandbox = subjects.find(({ provider }) => provider === 'sandbox')
if (!sandbox) throw new Error('the sandbox is no subject of the faults any more')

describe('on this machine', () => {
  test('commits from inside are the user’s, and come back', async (ctx) => {
    const reason = sandbox.missing()
    if (reason !== undefined) ctx.skip(reason)
    const before = await begin(sandbox)
    await expectCode(holm, ['ws', 'create', 'fix'], 0)
    const commit =
      'echo two >> notes.txt && git commit --quiet --all --message second && ! git config user.x y'
    await expectCode(holm, ['ws', 'exec', 'fix', '--', 'sh', '-c', commit], 0)
    await expectCode(holm, ['ws', 'merge', 'fix'], 0)
    expect(git('log', '-1', '--format=%an %s', 'HEAD^2')).toBe('Ada second')
    expect(readFileSync(join(holm.project, 'notes.txt'), 'utf8')).toBe('one\ntwo\n')
    const { stdout } = await expectCode(holm, ['ws', 'prune', '--yes'], 0)
    expect(stdout).toBe('fix is removed\n')
    await expectNothingLeft(before)
  })

  test(
    'a rename keeps what is inside, and one that was killed is done by the next',
    { timeout: 120_000 },
    async (ctx) => {
      const reason = sandbox.missing()
      if (reason !== undefined) ctx.skip(reason)
      const before = await begin(sandbox)
      await expectCode(holm, ['ws', 'create', 'fix'], 0)
      const inside = (name: string, script: string) =>
        expectCode(holm, ['ws', 'exec', name, '--', 'sh', '-c', script], 0)
      await inside(
        'fix',
        'echo mine > ~/installed && echo two >> notes.txt && git commit --quiet --all -m work',
      )
      signalAtStep(holm, 'clone', 'SIGKILL')
      expect((await holm.run(['ws', 'rename', 'fix', 'tidy', '--yes'])).code).toBe(128)
      rmSync(join(holm.project, 'holm.config.json'))
      const problem = expect.stringContaining('holm workspace rename fix tidy')
      expect(await shown()).toMatchObject([{ name: 'fix', problem }])
      await expectCode(holm, ['ws', 'rename', 'fix', 'tidy'], 0)
      await expectCode(holm, ['ws', 'start', 'tidy'], 0)
      const script = 'cat ~/installed && git rev-parse --abbrev-ref HEAD && echo $HOLM_WORKSPACE'
      expect((await inside('tidy', script)).stdout).toBe('mine\nholm/tidy\ntidy\n')
      await expectCode(holm, ['ws', 'delete', 'tidy', '--yes'], 0)
      await expectNothingLeft(before)
    },
  )

  test('a runtime that lost the environment, and a folder that is gone, are told and healed', async (ctx) => {
    const reason = sandbox.missing()
    if (reason !== undefined) ctx.skip(reason)
    const before = await begin(sandbox)
    await expectCode(holm, ['ws', 'create', 'fix'], 0)
    await expectCode(holm, ['destroy', 'fix', '--yes'], 0)
    expect(await shown()).toMatchObject([{ status: 'absent' }])
    await expectCode(holm, ['ws', 'start', 'fix'], 0)
    const [{ path } = { path: '' }] = await shown()
    expect(existsSync(path)).toBe(true)
    rmSync(path, { recursive: true })
    expect(await shown()).toMatchObject([{ problem: expect.stringContaining('is gone') }])
    await expectCode(holm, ['ws', 'delete', 'fix', '--yes'], 0)
    await expectNothingLeft(before)
  })

  test('wrong words are told with a code and a hint', async (ctx) => {
    const reason = sandbox.missing()
    if (reason !== undefined) ctx.skip(reason)
    await begin(sandbox)
    const wrong = (
      args: readonly string[],
      code: string,
      rest: { exit: number; says: string[]; hint: string },
    ) => expectError(holm, ['ws', ...args], { code, ...rest })
    await wrong(['create', 'A b'], 'HOLM_NAME_INVALID', {
      exit: 2,
      says: ['"A b"'],
      hint: 'lower-case letters',
    })
    await wrong(['create', 'fix', '--from', 'v9'], 'HOLM_REVISION_NOT_FOUND', {
      exit: 7,
      says: ['"v9"'],
      hint: 'git fetch',
    })
    await wrong(['create', 'fix', '--memory', 'much'], 'HOLM_USAGE', {
      exit: 2,
      says: ['--memory', '"much"'],
      hint: '4gb',
    })
    await wrong(['show', 'nope'], 'HOLM_WORKSPACE_NOT_FOUND', {
      exit: 7,
      says: ['"nope"'],
      hint: 'holm workspace create',
    })
    writeFileSync(join(holm.project, 'holm.config.json'), '{"plugin":{"workspace":{"copy":["../x"]}}}')
    await wrong(['list'], 'HOLM_CONFIG_INVALID', { exit: 3, says: ['copy'], hint: '' })
  })
})
