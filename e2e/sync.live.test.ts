import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hasCommand } from '../scripts/testing/machine.ts'
import {
  createFaultHolm,
  expectCode,
  expectError,
  prepare,
  subjects,
  type FaultHolm,
  type Subject,
} from './faults/support/fault-holm.ts'

let holm: FaultHolm
beforeEach(() => void (holm = createFaultHolm()))
afterEach(() => holm.dispose())

function missing(subject: Subject): string | undefined {
  const absent = ['ssh', 'sshd', 'rsync', 'ldd'].find((name) => !hasCommand(name))
  return subject.missing() ?? (absent === undefined ? undefined : `${absent} is not installed`)
}

function git(...args: readonly string[]): string {
  return execFileSync('git', args, { cwd: holm.project, encoding: 'utf8' }).trimEnd()
}

/** This machine's rsync with all that it is linked to, for an environment that has none. */
function bringRsync(folder: string): string {
  mkdirSync(folder)
  const program = execFileSync('sh', ['-c', 'command -v rsync'], { encoding: 'utf8' }).trim()
  const linked = execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/\S+/g) ?? []
  for (const path of linked) copyFileSync(path, join(folder, basename(path)))
  copyFileSync(program, join(folder, 'rsync.bin'))
  const loader = linked.map((path) => basename(path)).find((name) => name.startsWith('ld-'))
  const script = `#!/bin/sh\nexec /opt/rsync/${loader ?? ''} --library-path /opt/rsync /opt/rsync/rsync.bin "$@"\n`
  writeFileSync(join(folder, 'rsync'), script)
  for (const name of ['rsync', loader ?? '']) chmodSync(join(folder, name), 0o755)
  const mount = `bind_mounts:\n  - { host: ${JSON.stringify(folder)}, container: /opt/rsync, readonly: true }\n`
  return `${mount}scripts:\n  setup: ln -s /opt/rsync/rsync /usr/local/bin/rsync\n`
}

/** A repository whose blueprint looks for the files as soon as it can. */
async function begin(subject: Subject): Promise<void> {
  const rsync = subject.provider === 'docker' ? bringRsync(join(holm.folder, 'rsync')) : ''
  await prepare(holm, subject, `${rsync}lifecycle:\n  onCreate: cat "it's a file" >seen\n`)
  holm.write("it's a file", 'first\n')
  holm.write('both.txt', 'base\n')
  git('init', '--quiet', '--initial-branch=main')
  git('config', 'user.name', 'Ada')
  git('config', 'user.email', 'ada@example.org')
  git('add', '--all')
  git('commit', '--quiet', '--message', 'first')
}

function inside(script: string): Promise<unknown> {
  return expectCode(holm, ['ws', 'exec', 'fix', '--', 'sh', '-c', script], 0)
}

interface Ended {
  readonly outcome: Readonly<Record<'here' | 'there' | 'kept' | 'skipped', readonly string[]>> & {
    readonly conflicts: readonly { readonly path: string; readonly there: string }[]
  }
}

async function outcomeOf(args: readonly string[], exit = 0): Promise<Ended['outcome']> {
  const { stdout } = await expectCode(holm, [...args, '--json'], exit)
  const [end] = JSON.parse(stdout) as readonly Ended[]
  if (!end) throw new Error('nothing was synchronised')
  return end.outcome
}

describe.each(subjects)('on $provider', (subject) => {
  test('a workspace without a mount has its files, and its work comes back', async (ctx) => {
    const reason = missing(subject)
    if (reason !== undefined) ctx.skip(reason)
    await begin(subject)
    await expectCode(holm, ['ws', 'create', 'fix', '--sync'], 0)
    const worktree = join(holm.project, '.worktree', 'fix')
    const file = (name: string): string => readFileSync(join(worktree, name), 'utf8')

    // What is done inside is not here before it is brought.
    await inside('cp seen "a b" && echo built >out.log && mkdir dist && echo 1 >dist/x')
    expect(existsSync(join(worktree, 'a b'))).toBe(false)
    expect((await outcomeOf(['sync-back', 'fix'])).here.toSorted()).toEqual(['a b', 'seen'])
    expect(file('a b')).toBe('first\n')
    expect((await outcomeOf(['sync-back', 'fix', 'dist'])).here).toEqual(['dist', 'dist/x'])

    // Both sides work; where both changed a file each keeps its own.
    await inside('echo there >both.txt; echo more >>seen; rm "a b"')
    writeFileSync(join(worktree, 'both.txt'), 'here\n')
    writeFileSync(join(worktree, 'new'), 'new\n')
    const both = await outcomeOf(['sync', 'fix', '--two-way'], 7)
    expect([both.here.toSorted(), both.there]).toEqual([['a b', 'seen'], ['new']])
    expect(both.conflicts.map(({ path }) => path)).toEqual(['both.txt'])
    expect(readFileSync(both.conflicts[0]?.there ?? '', 'utf8')).toBe('there\n')
    expect(file('both.txt')).toBe('here\n')
    await expectError(holm, ['ws', 'merge', 'fix', '-m', 'x'], {
      exit: 7,
      code: 'HOLM_SYNC_CONFLICT',
      says: ['both.txt'],
      hint: 'holm sync-back fix PATH',
    })
    const { kept } = await outcomeOf(['sync-back', 'fix', 'both.txt'])
    expect(kept.map((path) => readFileSync(path, 'utf8'))).toEqual(['here\n'])
    expect(file('both.txt')).toBe('there\n')

    // Whoever looks at the work has all of it, and so does git when the environment goes.
    await inside('echo last >last')
    expect((await expectCode(holm, ['ws', 'diff', 'fix', '--stat'], 0)).stdout).toContain(' last ')
    await inside('echo very >very')
    await expectCode(holm, ['ws', 'delete', 'fix', '--yes'], 0)
    const [recovery = ''] = git('for-each-ref', '--format=%(refname)', 'refs/holm/recovery').split('\n')
    expect(git('show', `${recovery}:very`)).toBe('very')
  })
})

const sandbox = subjects.find(({ provider }) => provider === 'sandbox')
if (!sandbox) throw new Error('the sandbox is no subject of the faults any more')

describe('from a hostile environment', () => {
  test('nothing leads out, and nothing that git would run is taken', async (ctx) => {
    const reason = missing(sandbox)
    if (reason !== undefined) ctx.skip(reason)
    await begin(sandbox)
    await expectCode(holm, ['ws', 'create', 'fix', '--sync'], 0)
    const worktree = join(holm.project, '.worktree', 'fix')
    const pointer = readFileSync(join(worktree, '.git'), 'utf8')
    const outside = join(holm.folder, 'outside')
    mkdirSync(outside)
    symlinkSync(outside, join(worktree, 'mine'))
    await inside(
      [
        'mkdir .git sub sub/.git mine',
        'echo evil >.git/config; echo evil >sub/.git/config; echo evil >mine/x; echo good >sub/good',
        `ln -s '${outside.replaceAll("'", "'\\''")}' out; ln -s ../../.. up; ln -s sub in; mkfifo pipe`,
        'cp /bin/true tool; chmod 6755 tool; echo x >"$(printf "line\\nend")"',
      ].join('\n'),
    )
    const back = await outcomeOf(['sync', 'fix', '--two-way'])
    expect(back.here.toSorted()).toEqual(['in', 'line\nend', 'seen', 'sub', 'sub/good', 'tool'])
    expect(back.skipped.toSorted()).toEqual(['mine', 'out', 'up'])
    expect(readFileSync(join(worktree, '.git'), 'utf8')).toBe(pointer)
    expect(existsSync(join(worktree, 'sub', '.git'))).toBe(false)
    expect(existsSync(join(outside, 'x'))).toBe(false)
    // Nor with one-way, which takes what is there.
    await outcomeOf(['sync-back', 'fix', '--delete'])
    expect(existsSync(join(outside, 'x'))).toBe(false)
    expect(readFileSync(join(worktree, '.git'), 'utf8')).toBe(pointer)
  })

  test('with a mount there is nothing to do, and without rsync it is told', async (ctx) => {
    const reason = missing(sandbox)
    if (reason !== undefined) ctx.skip(reason)
    await begin(sandbox)
    await expectCode(holm, ['ws', 'create', 'one'], 0)
    await expectCode(holm, ['ws', 'create', 'two', '--sync'], 0)
    const { stdout } = await expectCode(holm, ['sync', 'one', 'two'], 0)
    expect(stdout).toContain('one: nothing to do, its files are mounted at /workspace')
    await expectCode(holm, ['stop', 'two'], 0)
    const failed = await expectCode(holm, ['sync', 'two', 'one'], 7)
    expect(failed.stdout).toMatch(/^two +HOLM_ENVIRONMENT_NOT_RUNNING/m)
    expect(failed.stdout).toMatch(/^one +mounted/m)
    // Its files are nowhere else: whoever deletes it has them first.
    await expectCode(holm, ['ws', 'delete', 'two', '--yes'], 0)
  })
})

test('a holm that is killed while it copies leaves both sides whole', async (ctx) => {
  const reason = missing(sandbox)
  if (reason !== undefined) ctx.skip(reason)
  await begin(sandbox)
  await expectCode(holm, ['ws', 'create', 'fix', '--sync'], 0)
  const worktree = join(holm.project, '.worktree', 'fix')
  await inside('i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo "there $i" >"f$i"; done')
  for (let index = 1; index <= 400; index += 1) writeFileSync(join(worktree, `h${index}`), `here ${index}\n`)
  const running = holm.start(['sync', 'fix', '--two-way'])
  // Whichever comes first: it is in the middle, or it was quicker.
  await Promise.race([
    waitFor(() => existsSync(join(worktree, 'f1')) || existsSync(join(worktree, '.holm-sync'))),
    running.ended,
  ])
  running.kill('SIGKILL')
  await running.ended
  const { conflicts } = await outcomeOf(['sync', 'fix', '--two-way'])
  expect(conflicts).toEqual([])
  for (let index = 1; index <= 400; index += 1)
    expect(readFileSync(join(worktree, `f${index}`), 'utf8')).toBe(`there ${index}\n`)
  await inside(
    'i=0; while [ $i -lt 400 ]; do i=$((i+1)); [ "$(cat "h$i")" = "here $i" ] || exit 1; done; [ ! -e .holm-sync ]',
  )
  expect(existsSync(join(worktree, '.holm-sync'))).toBe(false)
  rmSync(join(worktree, 'h1'))
  expect((await outcomeOf(['sync', 'fix', '--two-way'])).there).toEqual(['h1'])
})

async function waitFor(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!isSo() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5))
}
