import { describe, expect, it } from 'vitest'
import { HolmError } from '@holm/core'
import type { ExecOptions, HostApi, Process } from '@holm/core'
import { createFakeProcess } from '../../test/fake-process.ts'
import type { FakeProcess } from '../../test/fake-process.ts'
import { runHolm } from '../../test/run-holm.ts'

interface FakeExec {
  readonly seen: ExecOptions[]
  exec(options: ExecOptions): Promise<Process>
}

function createExec(act: (program: FakeProcess) => void): FakeExec {
  const seen: ExecOptions[] = []
  return {
    seen,
    exec(options) {
      seen.push(options)
      const program = createFakeProcess()
      setImmediate(() => act(program))
      return Promise.resolve(program)
    },
  }
}

const finish = (program: FakeProcess): void => program.end({ code: 0 })

describe('holm exec', () => {
  it('passes words as they are, prints the output as it is and ends with the code of the program', async () => {
    const fake = createExec((program) => {
      program.stdout.write('s3cret\u001b[31m')
      program.stderr.write('oops')
      program.end({ code: 42 })
    })
    const run = await runHolm(['exec', 'web', '--', 'sh', '-c', 'a "b"', '--json', '--', '-h'], {
      host: { exec: fake.exec },
    })
    expect(fake.seen).toMatchObject([
      { argv: ['sh', '-c', 'a "b"', '--json', '--', '-h'], environment: 'web', stdin: 'pipe' },
    ])
    expect(run).toMatchObject({ code: 42, stdout: 's3cret\u001b[31m', stderr: 'oops' })
  })

  it('takes user, folder and variables', async () => {
    const fake = createExec(finish)
    const argv = [
      'exec',
      '-u',
      'root',
      '-w',
      '/srv',
      '-e',
      'A=1=2',
      '--env',
      'HOME',
      '-e',
      'NOT_SET',
      '--',
      'env',
    ]
    await runHolm(argv, { host: { exec: fake.exec }, env: { HOME: '/home/me' } })
    expect(fake.seen).toMatchObject([
      { user: 'root', cwd: '/srv', env: { A: '1=2', HOME: '/home/me' }, projectFolder: '/project' },
    ])
    expect(fake.seen[0]).not.toHaveProperty('pty')
    expect(fake.seen[0]).not.toHaveProperty('environment')
  })

  it('gives a pty on a terminal, none with -T, and then leaves the keyboard alone unless -i', async () => {
    const fake = createExec(finish)
    const options = { host: { exec: fake.exec }, columns: 100, env: { TERM: 'xterm-256color' } }
    await runHolm(['exec', '--', 'top'], options)
    await runHolm(['exec', '-T', '--', 'ls'], options)
    await runHolm(['exec', '-T', '-i', '--', 'cat'], options)
    expect(fake.seen).toMatchObject([
      { pty: { cols: 100, rows: 24 }, stdin: 'pipe', env: { TERM: 'xterm-256color' } },
      { stdin: 'ignore', env: {} },
      { stdin: 'pipe' },
    ])
  })

  it('becomes one document with --json, base64 where the output is no text', async () => {
    const text = createExec((program) => {
      program.stdout.write('s3cret\n')
      program.end({ code: 2 })
    })
    const run = await runHolm(['exec', '--json', '--', 'x'], { host: { exec: text.exec }, stdin: '' })
    expect(JSON.parse(run.stdout)).toEqual({
      exitCode: 2,
      signal: null,
      stdout: 's3cret\n',
      stderr: '',
      encoding: 'utf8',
      truncated: false,
    })
    expect(run.code).toBe(2)
    const binary = createExec((program) => {
      program.stdout.write(Buffer.from([0xff, 0xfe]))
      program.end({ code: 0 })
    })
    const second = await runHolm(['exec', '--json', '--', 'x'], { host: { exec: binary.exec }, stdin: '' })
    expect(JSON.parse(second.stdout)).toMatchObject({ stdout: '//4=', encoding: 'base64' })
  })

  it('keeps the codes of holm before the program starts', async () => {
    const missing = new HolmError('HOLM_ENVIRONMENT_NOT_RUNNING', 'web is stopped')
    const run = await runHolm(['exec', '--', 'x'], { host: { exec: () => Promise.reject(missing) } })
    expect(run).toMatchObject({ code: 7, stderr: 'error HOLM_ENVIRONMENT_NOT_RUNNING: web is stopped\n' })
    expect(await runHolm(['exec', '-t', '-T', '--', 'x'], { host: {} })).toMatchObject({ code: 2 })
    expect(await runHolm(['exec', '-e', '=1', '--', 'x'], { host: {} })).toMatchObject({ code: 2 })
  })
})

const never = (): never => {
  throw new Error('not asked for')
}

describe('holm shell', () => {
  it('starts a login shell found inside, and has no JSON', async () => {
    const fake = createExec(finish)
    const configured = (value: unknown): Pick<HostApi, 'exec' | 'config'> => ({
      exec: fake.exec,
      config: { get: async (key) => ({ key, value, source: 'default' }), list: never, set: never },
    })
    await runHolm(['shell', 'web', '-u', 'dev'], { host: configured(undefined), columns: 80 })
    await runHolm(['shell'], { host: configured('/bin/zsh'), columns: 80 })
    expect(fake.seen).toMatchObject([
      { argv: ['/bin/sh', '-c', expect.stringContaining('-l')], user: 'dev', environment: 'web' },
      { argv: ['/bin/zsh', '-l'] },
    ])
    expect(await runHolm(['shell', '--json'], { host: {} })).toMatchObject({ code: 2 })
  })
})

describe('holm check', () => {
  const failing = (): Promise<Process> => {
    const program = createFakeProcess()
    setImmediate(() => {
      program.stdout.write('pytest is missing\n')
      program.end({ code: 3 })
    })
    return Promise.resolve(program)
  }

  it('prints what the check prints, and ends with its code', async () => {
    const seen: unknown[] = []
    const host: Pick<HostApi, 'check'> = {
      check: (options) => {
        seen.push(options)
        return failing()
      },
    }
    expect(await runHolm(['check'], { host })).toMatchObject({ code: 3, stdout: 'pytest is missing\n' })
    await runHolm(['check', 'web'], { host, columns: 100 })
    expect(seen).toMatchObject([{ projectFolder: '/project' }, { environment: 'web' }])
    expect(seen[1]).not.toHaveProperty('pty')
  })

  it('is one document with --json', async () => {
    const run = await runHolm(['check', '--json'], { host: { check: failing }, stdin: '' })
    expect(run.code).toBe(3)
    expect(JSON.parse(run.stdout)).toMatchObject({ exitCode: 3, stdout: 'pytest is missing\n' })
  })
})
