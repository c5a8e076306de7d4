import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { BuildResult, CloneResult, EnvironmentInfo, GoldenImage, Snapshot, UpResult } from '@holm/core'
import {
  createFaultHolm,
  engine,
  expectCode,
  listResidue,
  prepare,
  subjects,
  type FaultHolm,
  type Subject,
} from './faults/support/fault-holm.ts'
import { addPlugin, signalAtStep } from './faults/support/plugins.ts'
import { listEngineTraces } from './support/engine.ts'
import { makeFolder, missingRootfs } from './support/holm.ts'

/** Both start from the same root filesystem here: only then have both files of their own. */
const filed: readonly Subject[] = subjects.map((subject) => ({
  ...subject,
  base: 'debian-12',
  missing: () => subject.missing() ?? missingRootfs(),
}))

const installs = `scripts:
  setup: |
    echo installed > /opt/installed
    echo 11111111111111111111111111111111 > /etc/machine-id
`

let holm: FaultHolm
// Bases are unpacked once: what is tried here is what comes after.
const cache = makeFolder('holm-copies-cache-')
afterAll(() => rmSync(cache, { recursive: true, force: true }))
beforeEach(() => {
  holm = createFaultHolm()
  symlinkSync(cache, join(holm.home, 'cache'))
})
afterEach(async () => {
  rmSync(join(holm.project, 'holm.config.json'), { force: true })
  await holm.run(['image', 'prune', '--all', '--yes'])
  await holm.dispose()
})

async function ask<T>(args: readonly string[]): Promise<T> {
  return JSON.parse((await expectCode(holm, [...args, '--json'], 0)).stdout) as T
}

async function inside(name: string, script: string): Promise<string> {
  return (await expectCode(holm, ['exec', name, '--', 'sh', '-c', script], 0)).stdout
}

const patience = { timeout: 60_000, interval: 20 }

/** The letter of /proc: T for a process that is stopped. */
function stateOf(pid: number): string | undefined {
  return /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
}

const withoutPlugin = (): void => rmSync(join(holm.project, 'holm.config.json'), { force: true })

describe.each(filed)('on $provider', (subject) => {
  beforeEach((ctx) => {
    const reason = subject.missing()
    if (reason !== undefined) ctx.skip(reason)
  })

  test('a golden image is built once, used without installing anything, and leaves nothing', async () => {
    await prepare(holm, subject, installs)
    const before = await listResidue(holm)
    const [one, other] = await Promise.all([ask<BuildResult>(['build']), ask<BuildResult>(['build'])])
    expect([one.outcome, other.outcome].toSorted()).toEqual(['built', 'present'])
    const up = await ask<UpResult>(['up'])
    expect(up.image).toBe(one.image.name)
    expect(up.steps.map(({ step }) => step)).not.toContain('setup')
    const [installed, machineId] = (await inside('one', 'cat /opt/installed /etc/machine-id')).split('\n')
    expect(installed).toBe('installed')
    expect(machineId).toMatch(/^(?!1{32})[0-9a-f]{32}$/)
    expect((await ask<EnvironmentInfo[]>(['list'])).map(({ name }) => name)).toEqual(['one'])
    await expectCode(holm, ['image', 'remove', one.image.hash.slice(0, 8), '--yes'], 0)
    expect(await inside('one', 'cat /opt/installed')).toBe('installed\n')
    await expectCode(holm, ['destroy', '--yes'], 0)
    expect(await listResidue(holm)).toEqual(before)
  })

  test('a build that is killed is shown, never used, and built anew', async () => {
    await prepare(holm, subject, installs)
    const before = await listResidue(holm)
    signalAtStep(holm, 'stop', 'SIGKILL')
    expect((await holm.start(['build']).ended).code).toBe(137)
    withoutPlugin()
    expect(await ask<GoldenImage[]>(['image', 'list'])).toMatchObject([{ status: 'unfinished' }])
    expect((await ask<UpResult>(['up'])).image).toBeUndefined()
    await expectCode(holm, ['destroy', '--yes'], 0)
    expect((await ask<BuildResult>(['build'])).outcome).toBe('built')
    await expectCode(holm, ['image', 'prune', '--yes'], 0)
    expect(await listResidue(holm)).toEqual(before)
    signalAtStep(holm, 'setup', 'SIGINT')
    expect((await holm.start(['build']).ended).code).toBe(130)
    withoutPlugin()
    expect(await listResidue(holm)).toEqual(before)
  })

  test('a second build waits for the first, and takes over when that is killed', async () => {
    await prepare(holm, subject, installs)
    const before = await listResidue(holm)
    signalAtStep(holm, 'stop', 'SIGSTOP')
    const first = holm.start(['build'])
    onTestFinished(() => first.kill('SIGKILL'))
    await vi.waitUntil(() => stateOf(first.pid) === 'T', patience)
    // Tells in a file that it waits.
    const waits = join(holm.folder, 'waits')
    addPlugin(
      holm,
      `api.hook('onEvent', ({ type, message }) => {
        if (type === 'progress' && message.startsWith('waiting for process ${first.pid}:'))
          process.getBuiltinModule('node:fs').writeFileSync(${JSON.stringify(waits)}, message)
      })`,
    )
    const second = holm.start(['build', '--json'])
    await vi.waitUntil(() => existsSync(waits), patience)
    expect(readFileSync(waits, 'utf8')).toContain('building a golden image')
    first.kill('SIGKILL')
    expect((await first.ended).code).toBe(137)
    const { code, stdout } = await second.ended
    expect(code).toBe(0)
    expect((JSON.parse(stdout) as BuildResult).outcome).toBe('built')
    withoutPlugin()
    expect(await ask<GoldenImage[]>(['image', 'list'])).toMatchObject([{ status: 'ready' }])
    await expectCode(holm, ['image', 'prune', '--all', '--yes'], 0)
    expect(await listResidue(holm)).toEqual(before)
  })

  test('clones are machines of their own, and a killed one heals', async () => {
    await prepare(holm, subject, 'ports: ["0:8080"]\n')
    const before = await listResidue(holm)
    await expectCode(holm, ['up'], 0)
    await inside('one', 'echo 22222222222222222222222222222222 > /etc/machine-id; echo mine > /root/file')
    const clones = await ask<CloneResult[]>(['clone', 'one', 'copy', '-n', '3'])
    expect(clones.map(({ name, environment }) => `${name} ${environment?.status}`)).toEqual([
      'copy-1 running',
      'copy-2 running',
      'copy-3 running',
    ])
    const script = 'cat /etc/machine-id /root/file; hostname'
    const seen = await Promise.all(clones.map(({ name }) => inside(name, script)))
    expect(new Set(seen.map((text) => text.split('\n')[0])).size).toBe(3)
    expect(seen.map((text) => text.split('\n').slice(1).join(' '))).toEqual([
      'mine copy-1 ',
      'mine copy-2 ',
      'mine copy-3 ',
    ])
    // What maps nothing has the ports of this machine, all of them the same.
    const ports = (await ask<EnvironmentInfo[]>(['list'])).map((each) => each.ports[0]?.host)
    expect(new Set(ports).size).toBe(subject.provider === 'docker' ? 4 : 1)
    const [later] = await ask<CloneResult[]>(['clone', 'one', 'later', '--no-start'])
    expect(later?.environment?.status).toBe('stopped')
    await expectCode(holm, ['start', 'later'], 0)
    expect(await inside('later', script)).toMatch(/^(?!2{32})[0-9a-f]{32}\nmine\nlater\n$/)
    const taken = await holm.run(['clone', 'one', 'copy-2'])
    expect(taken.code).toBe(7)
    expect(taken.stdout).toContain('HOLM_ENVIRONMENT_CONFLICT')
    signalAtStep(holm, 'identity', 'SIGKILL')
    expect((await holm.start(['clone', 'one', 'killed']).ended).code).toBe(137)
    withoutPlugin()
    expect(await ask<EnvironmentInfo>(['status', 'killed'])).toMatchObject({ status: 'failed' })
    expect(await ask<CloneResult[]>(['clone', 'one', 'killed'])).toMatchObject([{ name: 'killed' }])
    await expectCode(holm, ['destroy', '--all', '--yes'], 0)
    expect(await listResidue(holm)).toEqual(before)
  })

  test('a snapshot has the files of the project, and a killed restore is brought to its end', async () => {
    await prepare(holm, subject)
    const before = await listResidue(holm)
    await expectCode(holm, ['up'], 0)
    holm.write('file', 'before')
    mkdirSync(join(holm.project, 'node_modules'))
    holm.write('node_modules/dependency', 'before')
    await inside('one', 'echo before > /root/file')
    const saved = await ask<Snapshot>(['snapshot', 'create', 'one', 'good'])
    expect(saved.files).toMatchObject([{ source: holm.project }])
    const spoil = async (): Promise<void> => {
      rmSync(join(holm.project, 'node_modules'), { recursive: true, force: true })
      holm.write('file', 'after')
      holm.write('added', 'after')
      await expectCode(holm, ['start', 'one'], 0)
      await inside('one', 'echo after > /root/file')
    }
    const expectBack = async (): Promise<void> => {
      expect(readFileSync(join(holm.project, 'file'), 'utf8')).toBe('before')
      expect(readFileSync(join(holm.project, 'node_modules/dependency'), 'utf8')).toBe('before')
      expect(existsSync(join(holm.project, 'added'))).toBe(false)
      expect(readdirSync(holm.project).filter((name) => name.startsWith('.holm'))).toEqual([])
      await expectCode(holm, ['start', 'one'], 0)
      expect(await inside('one', 'cat /root/file')).toBe('before\n')
    }
    await spoil()
    const refused = await expectCode(holm, ['up', '--recreate'], 2)
    expect(refused.stderr).toContain('removes its snapshots: good')
    await expectCode(holm, ['snapshot', 'restore', 'one', 'good'], 2)
    await expectCode(holm, ['snapshot', 'restore', 'one', 'good', '--yes'], 0)
    await expectBack()
    for (const step of ['files', 'restore']) {
      await spoil()
      signalAtStep(holm, step, 'SIGKILL')
      expect((await holm.start(['snapshot', 'restore', 'one', 'good', '--yes']).ended).code, step).toBe(137)
      withoutPlugin()
      const next = await expectCode(holm, ['list'], 0)
      const healed = next.stderr.includes('brought to its end')
      expect(healed, step).toBe(step === 'restore')
      if (!healed) await expectCode(holm, ['snapshot', 'restore', 'one', 'good', '--yes'], 0)
      await expectBack()
    }
    await expectCode(holm, ['destroy', '--yes'], 0)
    expect(await listResidue(holm)).toEqual(before)
  })

  test('an archive becomes an environment of the other provider', async () => {
    const other = subject.provider === 'docker' ? 'sandbox' : 'docker'
    await prepare(holm, subject, `volumes: [{ name: data, mount: /data }]\n${installs}`)
    const before = await listResidue(holm)
    const imported = await listEngineTraces(engine, 'holm-base/import-two')
    await expectCode(holm, ['up'], 0)
    await inside('one', 'echo kept > /data/file; chown 7:8 /opt/installed; chmod 4755 /opt/installed')
    await expectCode(holm, ['export', 'one', 'one.tar.zst'], 0)
    await expectCode(holm, ['export', 'one', 'one.tar.zst'], 2)
    expect(statSync(join(holm.project, 'one.tar.zst')).mode & 0o077).toBe(0)
    const { environment } = await ask<{ environment: EnvironmentInfo }>([
      'import',
      'one.tar.zst',
      'two',
      '-p',
      other,
    ])
    expect(environment).toMatchObject({ name: 'two', provider: other, status: 'running' })
    const script = 'cat /opt/installed /data/file; stat -c "%a %u:%g" /opt/installed'
    expect(await inside('two', script)).toBe('installed\nkept\n4755 7:8\n')
    for (const name of ['one', 'two']) await expectCode(holm, ['destroy', name, '--yes', '--volumes'], 0)
    expect(await listResidue(holm)).toEqual(before)
    expect(await listEngineTraces(engine, 'holm-base/import-two')).toEqual(imported)
  })

  test('an export onto a full disk says so and leaves nothing', async (ctx) => {
    if (process.getuid?.() !== 0) ctx.skip('only root can mount a small disk')
    await prepare(holm, subject)
    await expectCode(holm, ['up'], 0)
    const small = join(holm.folder, 'small')
    mkdirSync(small)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small])
    try {
      const ended = await holm.run(['export', 'one', join(small, 'one.tar')])
      expect(ended.code).toBe(7)
      expect(ended.stderr).toContain('error HOLM_DISK_FULL')
      expect(readdirSync(small)).toEqual([])
    } finally {
      execFileSync('umount', [small])
    }
  })

  test('limits change while it runs, and stay', async (ctx) => {
    await prepare(holm, subject, 'resources: { memory: 256mb, pids: 100 }\n')
    await expectCode(holm, ['up'], 0)
    const resized = await holm.run(['resize', 'one', '--memory', '512mb', '--pids', '150', '--json'])
    if (subject.provider === 'sandbox' && resized.stdout.includes('HOLM_BLUEPRINT_UNSUPPORTED'))
      ctx.skip('no control group can be made here')
    const limits = (info: EnvironmentInfo): string =>
      info.limits
        .filter(({ name }) => name !== 'cpus')
        .map(({ name, value }) => `${name} ${value}`)
        .toSorted()
        .join(', ')
    expect(limits(JSON.parse(resized.stdout) as EnvironmentInfo)).toBe('memory 536870912, pids 150')
    const [listed] = await ask<EnvironmentInfo[]>(['list'])
    expect(listed && limits(listed)).toBe('memory 536870912, pids 150')
    await expectCode(holm, ['stop', 'one'], 0)
    await expectCode(holm, ['start', 'one'], 0)
    expect(limits(await ask<EnvironmentInfo>(['status', 'one']))).toBe('memory 536870912, pids 150')
  })
})

test('an export or import that is interrupted, or whose archive is damaged, leaves nothing', async (ctx) => {
  const subject = filed.find(({ provider }) => provider === 'sandbox')
  if (subject === undefined) throw new Error('no sandbox')
  const reason = subject.missing()
  if (reason !== undefined) ctx.skip(reason)
  await prepare(holm, subject)
  const before = await listResidue(holm)
  await expectCode(holm, ['up'], 0)
  signalAtStep(holm, 'rootfs', 'SIGINT')
  expect((await holm.start(['export', 'one', 'killed.tar']).ended).code).toBe(130)
  signalAtStep(holm, 'rootfs', 'SIGKILL')
  expect((await holm.start(['export', 'one', 'killed.tar']).ended).code).toBe(137)
  withoutPlugin()
  expect(readdirSync(holm.project).filter((name) => name.endsWith('killed.tar'))).toEqual([])
  await expectCode(holm, ['export', 'one', 'one.tar'], 0)
  writeFileSync(
    join(holm.project, 'cut.tar'),
    readFileSync(join(holm.project, 'one.tar')).subarray(0, 5_000_000),
  )
  const refused = await holm.run(['import', 'cut.tar', 'two'])
  expect(refused.code).toBe(3)
  expect(refused.stderr).toContain('error HOLM_BASE_INVALID')
  signalAtStep(holm, 'create', 'SIGKILL')
  expect((await holm.start(['import', 'one.tar', 'two', '-p', 'sandbox']).ended).code).toBe(137)
  withoutPlugin()
  await expectCode(holm, ['import', 'one.tar', 'two', '-p', 'sandbox'], 0)
  await expectCode(holm, ['destroy', '--all', '--yes'], 0)
  expect(await listResidue(holm)).toEqual(before)
})
