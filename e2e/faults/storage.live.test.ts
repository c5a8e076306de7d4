import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { root } from '../../scripts/root.ts'
import { describeEnd, missingBuild, runProgram } from '../support/holm.ts'
import {
  cli,
  createFaultHolm,
  expectCode,
  expectError,
  listResidue,
  prepare,
  subjects,
  type FaultHolm,
} from './support/fault-holm.ts'

let holm: FaultHolm
const mounted: string[] = []
beforeEach((ctx) => {
  holm = createFaultHolm()
  const reason = missingBuild()
  if (reason !== undefined) ctx.skip(reason)
})
afterEach(async () => {
  for (const folder of mounted.splice(0)) spawnSync('umount', ['--lazy', folder])
  await holm.dispose()
})

const blueprint = 'name: one\nbase: host\nprovider: sandbox\n'

/** A file system of its own below the test's folder. */
function mountSmall(name: string, ...options: readonly string[]): string {
  const folder = join(holm.folder, name)
  mkdirSync(folder)
  const { status, stderr } = spawnSync('mount', [
    '-t',
    'tmpfs',
    '-o',
    ['mode=0777', ...options].join(','),
    'tmpfs',
    folder,
  ])
  if (status !== 0) throw new Error(String(stderr))
  mounted.push(folder)
  return folder
}

function needsRoot(skip: (reason: string) => void): void {
  if (process.getuid?.() !== 0) skip('mounting needs root')
}

describe('a full disk', () => {
  test('below the data folder', async (ctx) => {
    needsRoot(ctx.skip)
    holm.write('holm.yaml', blueprint)
    const home = mountSmall("full o'data", 'size=1m')
    const { bavail, bsize } = statfsSync(home)
    writeFileSync(join(home, 'filler'), Buffer.alloc(bavail * bsize))
    const env = { HOLM_HOME: home }
    for (const args of [['up'], ['list'], ['destroy', 'one', '--yes']]) {
      await expectError(holm, args, {
        exit: 7,
        code: 'HOLM_DISK_FULL',
        says: ["full o'data"],
        hint: 'Free some space',
        env,
      })
    }
    await expectCode(holm, ['version', '--json'], { exit: 0, env })
    await expectCode(holm, ['blueprint', 'validate'], { exit: 0, env })
    writeFileSync(join(home, 'filler'), '')
    await expectCode(holm, ['up'], { exit: 0, env })
    await expectCode(holm, ['destroy', '--yes'], { exit: 0, env })
  })
})

describe('a data folder that cannot be written', () => {
  test('because its file system is read-only', async (ctx) => {
    needsRoot(ctx.skip)
    holm.write('holm.yaml', blueprint)
    const home = mountSmall("read-only o'data", 'ro')
    const env = { HOLM_HOME: home }
    for (const args of [['up'], ['list'], ['exec', 'one', '--', 'true']]) {
      await expectError(holm, args, {
        exit: 3,
        code: 'HOLM_CONFIG_UNREADABLE',
        says: [join(home, 'data')],
        hint: 'Set HOLM_HOME to a folder that you can write to.',
        env,
      })
    }
    for (const args of [['version'], ['blueprint', 'list'], ['provider', 'list'], ['--help']]) {
      await expectCode(holm, args, { exit: 0, env })
    }
  })

  test('because it is not of this user', async (ctx) => {
    needsRoot(ctx.skip)
    holm.write('holm.yaml', blueprint)
    chmodSync(holm.folder, 0o755)
    const home = join(holm.folder, "root's")
    mkdirSync(home, { mode: 0o755 })
    const own = join(holm.folder, "nobody's")
    mkdirSync(own)
    chownSync(own, 65_534, 65_534)
    if ((await asNobody(['version'], {})).code !== 0) ctx.skip(`an ordinary user cannot run ${root}`)
    const ended = await asNobody(['list'], { HOLM_HOME: home })
    expect(ended.code, describeEnd(['list'], ended)).toBe(3)
    expect(ended.stderr).toContain(
      `error HOLM_CONFIG_UNREADABLE: ${join(home, 'data')} cannot be used: EACCES`,
    )
    expect(ended.stderr).toContain('hint: Set HOLM_HOME')
    const empty = await asNobody(['list'], { HOLM_HOME: own })
    expect(empty.code, describeEnd(['list'], empty)).toBe(0)
  })

  test('because without HOME it is the one of /etc/passwd, where nobody has none', async (ctx) => {
    needsRoot(ctx.skip)
    chmodSync(holm.folder, 0o755)
    const { stdout } = await runProgram(['getent', 'passwd', '65534'])
    const passwd = stdout.split(':')[5] ?? ''
    if (passwd === '' || existsSync(passwd)) ctx.skip(`the home of nobody is ${passwd || 'not told'}`)
    if ((await asNobody(['version'], {})).code !== 0) ctx.skip(`an ordinary user cannot run ${root}`)
    const ended = await asNobody(['list'], { HOLM_HOME: undefined, HOME: undefined })
    expect(ended.code, describeEnd(['list'], ended)).toBe(3)
    expect(ended.stderr).toContain(`error HOLM_CONFIG_UNREADABLE: ${passwd}/`)
  })

  function asNobody(args: readonly string[], env: NodeJS.ProcessEnv): ReturnType<FaultHolm['run']> {
    const { NODE_COMPILE_CACHE: _cache, TMPDIR: _tmp, ...kept } = holm.env
    return runProgram(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', cli, ...args], {
      cwd: holm.project,
      env: { ...kept, ...env },
    })
  }
})

describe.each(subjects)('a state file that is damaged, with an environment on $provider', (subject) => {
  beforeEach((ctx) => {
    const reason = subject.missing()
    if (reason !== undefined) ctx.skip(reason)
  })

  test.each([
    ['from its first byte', 0],
    ['behind its first page', 4096],
  ])('%s is set aside and made again from the runtimes', async (_where, from) => {
    await prepare(holm, subject, 'environment: { KEPT: "yes" }\n')
    await expectCode(holm, ['up'], 0)
    const data = join(holm.home, 'data')
    const pages = readFileSync(join(data, 'state.db'))
    pages.fill(0x41, from)
    writeFileSync(join(data, 'state.db'), pages)
    const list = await expectCode(holm, ['list', '--json'], 0)
    expect(JSON.parse(list.stdout)).toMatchObject([{ name: 'one', status: 'running', project: holm.project }])
    const backup = readdirSync(data).find(
      (name) => name.startsWith('state.db.damaged-') && !/-(wal|shm)$/.test(name),
    )
    expect(backup).toBeDefined()
    expect(list.stderr).toContain(
      `warning: the state file was damaged; it was moved to ${join(data, backup ?? '')}, and 1 environments were taken back`,
    )
    expect(readFileSync(join(data, backup ?? ''))).toEqual(pages)
    const again = await expectCode(holm, ['list'], 0)
    expect(again.stderr).toBe('')
    await expectCode(holm, ['exec', '--', 'true'], 0)
    await expectCode(holm, ['up'], 0)
    await expectCode(holm, ['destroy', '--yes'], 0)
    const residue = await listResidue(holm)
    expect(residue.filter((line) => !line.includes('state.db.damaged-'))).toEqual([])
  })
})
