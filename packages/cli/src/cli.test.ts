import { describe, expect, it } from 'vitest'
import { HolmError, type UpOptions } from '@holm/core'
import { environment, upResult } from '../test/fake-host.ts'
import { runHolm } from '../test/run-holm.ts'

function refuse(failure: Error): () => Promise<never> {
  return () => Promise.reject(failure)
}

describe('results', () => {
  it('prints a table on stdout and nothing on stderr', async () => {
    const run = await runHolm(['list'], { host: { list: () => Promise.resolve([environment]) } })
    expect(run.stdout.replace(/\d+ d/, 'N d')).toMatchInlineSnapshot(`
      "NAME  STATUS   PROVIDER  BLUEPRINT  PORTS     AGE    PROJECT
      web   running  docker    web        8080->80  N d  /project
      "
    `)
    expect(run).toMatchObject({ code: 0, stderr: '', closed: 1 })
  })

  it('prints names only with -q, one JSON document with --json', async () => {
    const host = { list: () => Promise.resolve([environment]) }
    expect((await runHolm(['ls', '-q'], { host })).stdout).toBe('web\n')
    const { stdout } = await runHolm(['--json', 'list'], { host })
    expect(JSON.parse(stdout)).toMatchObject([{ name: 'web', status: 'running' }])
  })

  it('sanitises what comes from outside, also in JSON', async () => {
    const host = { status: () => Promise.resolve({ ...environment, reason: '\u001b[2Jtoken=s3cret' }) }
    const run = await runHolm(['status'], { host })
    expect(run.stdout).toContain('running: token=***')
    expect((await runHolm(['status', '--json'], { host })).stdout).not.toContain('s3cret')
  })

  it('truncates a table to the terminal and uses colours there only', async () => {
    const long = { ...environment, project: `/home/someone/${'deep/'.repeat(40)}` }
    const run = await runHolm(['list'], { host: { list: () => Promise.resolve([long]) }, columns: 80 })
    // oxlint-disable-next-line no-control-regex -- colours are what this removes
    const lines = run.stdout
      .replaceAll(/\u001b\[\d+m/g, '')
      .trimEnd()
      .split('\n')
    expect(run.stdout).toContain('\u001b[')
    expect(lines.map((line) => line.length <= 80)).toEqual([true, true])
    expect(lines[1]).toMatch(/…$/)
    const plain = await runHolm(['list', '--no-color'], {
      host: { list: () => Promise.resolve([]) },
      columns: 80,
    })
    expect(plain.stdout).toBe('No environments. Make one with holm up.\n')
  })
})

describe('up', () => {
  const host = { up: () => Promise.resolve(upResult) }
  const withoutTime = (text: string): string => text.replace(/\(\d+ ms\)/, '(N ms)')

  it('ends with how to enter and the step times', async () => {
    const run = await runHolm(['up'], { host })
    expect(withoutTime(run.stdout)).toMatchInlineSnapshot(`
      "web is created and running on docker (N ms)
      steps  pull 2.1 s, start 300 ms
      ports  http://127.0.0.1:8080 -> 80
      enter  holm shell
      run    holm exec -- COMMAND
      "
    `)
  })

  it('tells the reason of the selection with -v', async () => {
    const { stdout } = await runHolm(['up', '-v', 'web'], { host })
    expect(stdout).toContain('why          docker: best usable provider that takes image bases')
    expect(stdout).toContain('passed over  lxc: lxc is not installed')
    expect(stdout).toContain('holm shell web')
  })

  it('is one line on a running environment and names what changed in a stale one', async () => {
    const running = { ...upResult, outcome: 'running' as const }
    const fresh = await runHolm(['up'], { host: { up: () => Promise.resolve(running) } })
    expect(withoutTime(fresh.stdout)).toBe('web is already running on docker (N ms)\n')
    const stale = await runHolm(['up'], {
      host: { up: () => Promise.resolve({ ...running, changed: ['ports', 'env'] }) },
    })
    expect(stale.stdout).toContain('changed  ports, env: not applied to the running environment')
    expect(stale.stdout).toContain('holm up --recreate removes it and makes it anew')
  })

  it('lets a person at a terminal choose among several blueprints', async () => {
    const choices = ['/p/.devcontainer/a/devcontainer.json', '/p/.devcontainer/b/devcontainer.json']
    const seen: unknown[] = []
    const up = (options: UpOptions = {}): Promise<typeof upResult> => {
      seen.push(options.blueprint)
      if (options.blueprint !== undefined) return Promise.resolve(upResult)
      return Promise.reject(new HolmError('HOLM_BLUEPRINT_AMBIGUOUS', 'several', { details: { choices } }))
    }
    const chosen = await runHolm(['up'], { host: { up }, columns: 100, stdin: '2\n' })
    expect(chosen).toMatchObject({ code: 0, stderr: expect.stringContaining(`  2  ${choices[1]}`) })
    expect(seen).toEqual([undefined, choices[1]])
    await expect(runHolm(['up'], { host: { up }, columns: 100, stdin: 'neither\n' })).resolves.toMatchObject({
      code: 3,
    })
    await expect(runHolm(['up'], { host: { up } })).resolves.toMatchObject({ code: 3 })
  })

  it('gives flags to the host', async () => {
    const seen: unknown[] = []
    const up = (options: unknown): Promise<typeof upResult> => {
      seen.push(options)
      return Promise.resolve(upResult)
    }
    await runHolm(['up', 'python-dev', '-n', 'py', '--provider=lxc', '-b', 'debian-12', '--recreate'], {
      host: { up },
    })
    expect(seen).toMatchObject([
      {
        blueprint: 'python-dev',
        name: 'py',
        provider: 'lxc',
        base: 'debian-12',
        recreate: true,
        cwd: '/project',
      },
    ])
  })
})

describe('errors', () => {
  const missing = new HolmError(
    'HOLM_ENVIRONMENT_NOT_FOUND',
    'no environment "weg" at https://me:s3cret@host',
    {
      hint: 'Run holm list.',
      plugin: '@holm/provider-docker',
      cause: new Error('404'),
      details: { name: 'weg' },
    },
  )

  it('is three lines on stderr with the exit code of the table', async () => {
    const run = await runHolm(['status', 'weg', '-v'], { host: { status: refuse(missing) } })
    expect(run.stderr).toMatchInlineSnapshot(`
      "error HOLM_ENVIRONMENT_NOT_FOUND: no environment "weg" at https://***@host
      hint: Run holm list.
      plugin: @holm/provider-docker
      cause: Error: 404
      "
    `)
    expect(run).toMatchObject({ code: 7, stdout: '' })
  })

  it('is one JSON document on stdout with --json', async () => {
    const run = await runHolm(['status', 'weg', '--json'], { host: { status: refuse(missing) } })
    expect(JSON.parse(run.stdout)).toEqual({
      error: {
        code: 'HOLM_ENVIRONMENT_NOT_FOUND',
        message: 'no environment "weg" at https://***@host',
        hint: 'Run holm list.',
        details: { name: 'weg' },
        plugin: '@holm/provider-docker',
      },
    })
    expect(run).toMatchObject({ code: 7, stderr: '' })
  })

  it('calls a plain error a bug', async () => {
    const run = await runHolm(['list'], { host: { list: refuse(new TypeError('x is undefined')) } })
    expect(run.stderr).toContain('error HOLM_BUG: TypeError: x is undefined')
    expect(run.code).toBe(70)
  })

  it('reports a host that cannot be opened, and still shows help', async () => {
    const openHost = refuse(new HolmError('HOLM_CONFIG_INVALID', 'bad holm.config.yaml'))
    expect(await runHolm(['list'], { openHost })).toMatchObject({ code: 3 })
    const help = await runHolm(['--help'], { openHost })
    expect(help.stdout).toContain('Bring an environment up')
    expect(help.stderr).toBe('warning: commands of plugins are not shown: bad holm.config.yaml\n')
  })
})

describe('usage', () => {
  const usage = async (...argv: string[]): Promise<string> => {
    const run = await runHolm(argv)
    expect(run).toMatchObject({ code: 2, stdout: '' })
    return run.stderr.trimEnd()
  }

  it('suggests commands and flags', async () => {
    expect(await usage('lst')).toBe('error HOLM_USAGE: unknown command "lst"\nhint: Did you mean list or ls?')
    expect(await usage('blueprint', 'shwo')).toContain('Did you mean blueprint show?')
    expect(await usage('frobnicate')).toContain('Run holm --help to see the commands.')
    expect(await usage('up', '--recraete')).toContain('Did you mean --recreate?')
    expect(await usage('up', '--provdier=docker')).toContain(
      'unknown flag "--provdier"\nhint: Did you mean --provider?',
    )
    expect(await usage('--jsn', 'list')).toContain('unknown flag "--jsn"')
  })

  it('names what is missing, superfluous or of the wrong type', async () => {
    expect(await usage('provider', 'show')).toContain('holm provider show needs id')
    expect(await usage('status', 'a', 'b')).toContain('unexpected argument "b"')
    expect(await usage('exec', 'web', 'ls')).toContain('Write the COMMAND after two dashes: holm exec -- ls.')
    expect(await usage('exec', 'web')).toContain('no COMMAND given')
    expect(await usage('status', '--', 'x')).toContain('takes no words after --')
    expect(await usage('logs', '--tail', 'many')).toContain('--tail wants a whole number, not "many"')
    expect(await usage('up', '--name')).toContain('flag --name expects a value')
    expect(await usage('up', '-n', 'a', '-n', 'b')).toContain('flag --name can only be specified once')
    expect(await usage('config', 'set', 'a', 'b', '--scope', 'moon')).toContain(
      'expected --scope=moon to be one of: user, project',
    )
  })
})

describe('destroy', () => {
  it('asks where somebody can answer, and needs --yes elsewhere', async () => {
    const removed: (string | undefined)[] = []
    const host = {
      status: () => Promise.resolve(environment),
      destroy: (name?: string) => {
        removed.push(name)
        return Promise.resolve({ name: name ?? '', existed: true })
      },
    }
    const refused = await runHolm(['destroy'], { host })
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain('HOLM_CONFIRMATION_REQUIRED')
    expect((await runHolm(['destroy', 'web'], { host, columns: 80, stdin: 'n\n' })).stdout).toBe(
      'Nothing removed.\n',
    )
    expect(removed).toEqual([])
    const asked = await runHolm(['destroy'], { host, columns: 80, stdin: 'y\n' })
    expect(asked.stderr).toContain('Remove web and its files? [y/N]')
    expect(asked.stdout).toBe('web is removed\n')
    await runHolm(['rm', 'api', '-y'], { host })
    expect(removed).toEqual(['web', 'api'])
  })
})

describe('plugins', () => {
  const table = {
    id: 'hello',
    summary: 'Say hello.',
    examples: [],
    flags: { loud: { type: 'boolean' as const, description: 'Shout.' } },
    plugin: 'holm-plugin-hello',
  }
  const commands = {
    list: () => Promise.resolve([table]),
    load: () =>
      Promise.resolve({
        ...table,
        run: ({ flags }: { flags: object }) => Promise.resolve({ data: { ...flags }, text: 'hello' }),
      }),
  }

  it('runs and explains their commands like its own', async () => {
    expect((await runHolm(['hello'], { host: { commands } })).stdout).toBe('hello\n')
    expect(
      JSON.parse((await runHolm(['hello', '--loud', '--json'], { host: { commands } })).stdout),
    ).toMatchObject({ loud: true })
    expect((await runHolm(['--help'], { host: { commands } })).stdout).toMatch(
      /PLUGINS\n {2}hello +Say hello\./,
    )
    const help = await runHolm(['hello', '--help'], { host: { commands: { list: commands.list } } })
    expect(help.stdout).toContain('--loud')
  })

  it('go on with a command of holm’s own, with its exit code and the flags that hold for all', async () => {
    const next = {
      ...table,
      id: 'hello there',
      aliases: ['hi there'],
      run: () => Promise.resolve({ data: null, next: ['status', 'web'] }),
    }
    const host = {
      commands: { list: () => Promise.resolve([next]), load: () => Promise.resolve(next) },
      status: (name?: string) =>
        name === 'web' ? Promise.resolve(environment) : Promise.reject(new Error('another name')),
    }
    const json = await runHolm(['hi', 'there', '--json'], { host })
    expect(JSON.parse(json.stdout)).toMatchObject({ name: 'web' })
    const missing = { ...host, status: refuse(new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', 'gone')) }
    expect(await runHolm(['hello', 'there'], { host: missing })).toMatchObject({
      code: 7,
      stdout: '',
      closed: 1,
    })
    const between = await runHolm(['hello', '--json', 'there'], { host })
    expect(JSON.parse(between.stdout)).toMatchObject({ name: 'web' })
    expect((await runHolm(['hi'], { host })).stdout).toContain('hello there')
  })
})
