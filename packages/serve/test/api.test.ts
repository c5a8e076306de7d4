import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { methods, notifications } from '@holm/sdk/methods'
import { waitFor } from '@holm/testkit'
import { describe, expect, it } from 'vitest'
import { refusal, setStage, textOf } from './stage.ts'

const environment = 'demo'

describe.each(['websocket', 'socket'] as const)('over a %s', (way) => {
  it('works on files', async () => {
    const stage = await setStage()
    await stage.host.up({})
    const client = await stage.client(way)
    expect(await client.call('fs.mkdir', { environment, path: "it's/new", recursive: true })).toEqual({
      created: true,
    })
    const bytes = Uint8Array.from({ length: 1_300_000 }, (_, index) => index % 251)
    await client.writeFile({ environment, path: "it's/new/big" }, bytes)
    expect(await client.readFile({ environment, path: "it's/new/big" })).toEqual(bytes)
    await client.writeFile({ environment, path: 'empty' }, '')
    expect(await client.readFile({ environment, path: 'empty' })).toHaveLength(0)
    await client.call('fs.writeFile', { environment, path: 'a', data: 'eins', mode: 'create' })
    await client.call('fs.writeFile', { environment, path: 'a', data: ' zw\u00F6lf', mode: 'append' })
    expect(stage.read('a')).toBe('eins zw\u00F6lf')
    expect(await client.call('fs.readFile', { environment, path: 'a', offset: 5, length: 2 })).toEqual({
      data: 'zw',
      encoding: 'utf8',
      bytes: 2,
      size: 11,
      end: false,
    })
    const listed = await client.call('fs.readdir', { environment, path: '.' })
    expect(listed.entries.map(({ name, type }) => `${type} ${name}`)).toEqual([
      'file a',
      'file empty',
      'file holm.yaml',
      "directory it's",
    ])
    expect(await client.call('fs.readdir', { environment, path: '.', after: 'empty' })).toMatchObject({
      end: true,
      entries: [{ name: 'holm.yaml' }, { name: "it's" }],
    })
    expect(await client.call('fs.stat', { environment, path: 'a' })).toMatchObject({ type: 'file', size: 11 })
    const full = await refusal(client.call('fs.rm', { environment, path: "it's" }))
    expect(full).toMatchObject({ code: 'HOLM_FILE_FAILED', rpcCode: -32_000 })
    await client.call('fs.rm', { environment, path: "it's", recursive: true })
    expect(await client.call('fs.exists', { environment, path: "it's/new" })).toEqual({ exists: false })
    expect(await client.call('fs.rm', { environment, path: "it's", force: true })).toEqual({ existed: false })
  })

  it('tells what went wrong by number and code', async () => {
    const stage = await setStage()
    await stage.host.up({})
    symlinkSync('/etc', join(stage.project, 'out'))
    const client = await stage.client(way)
    const call = client.call as (method: string, params: object) => Promise<unknown>
    const cases: readonly (readonly [string, object, number, string])[] = [
      ['fs.readFile', { environment, path: 'nothing' }, -32_003, 'HOLM_FILE_NOT_FOUND'],
      ['fs.readFile', { environment: 'nobody', path: 'a' }, -32_003, 'HOLM_ENVIRONMENT_NOT_FOUND'],
      ['fs.readFile', { environment, path: '/etc/passwd' }, -32_006, 'HOLM_PATH_OUTSIDE'],
      ['fs.readFile', { environment, path: '../memory' }, -32_006, 'HOLM_PATH_OUTSIDE'],
      ['fs.exists', { environment, path: 'out/passwd' }, -32_006, 'HOLM_PATH_OUTSIDE'],
      ['fs.readFile', { environment, path: '.' }, -32_000, 'HOLM_FILE_FAILED'],
      ['fs.rm', { environment, path: '.', recursive: true }, -32_000, 'HOLM_FILE_FAILED'],
      ['fs.writeFile', { environment, path: 'a', data: '%', encoding: 'base64' }, -32_602, 'HOLM_USAGE'],
      ['fs.readFile', { environment }, -32_602, 'HOLM_USAGE'],
      ['fs.readFile', { environment, path: 'a', more: 1 }, -32_602, 'HOLM_USAGE'],
      ['exec.run', { environment, argv: [] }, -32_602, 'HOLM_USAGE'],
      ['exec.run', { environment, argv: ['true'], timeoutMs: 1e9 }, -32_602, 'HOLM_USAGE'],
      ['workspace.show', { name: 'none' }, -32_000, 'HOLM_PLUGIN_NOT_FOUND'],
      ['constructor', {}, -32_601, 'HOLM_USAGE'],
    ]
    for (const [method, params, rpcCode, code] of cases)
      expect(await refusal(call(method, params)), JSON.stringify(params)).toMatchObject({ rpcCode, code })
  })

  it('runs programs', async () => {
    const stage = await setStage()
    await stage.host.up({})
    const client = await stage.client(way)
    const script = 'cat; echo out; echo err >&2; printf "%s" "$WORD"; exit 3'
    const ran = await client.call('exec.run', {
      environment,
      argv: ['sh', '-c', script],
      input: "it's in\n",
      env: { WORD: '"quoted"' },
    })
    expect(ran).toMatchObject({
      code: 3,
      stdout: 'it\'s in\nout\n"quoted"',
      stderr: 'err\n',
      truncated: false,
    })
    const late = await refusal(
      client.call('exec.run', { environment, argv: ['sh', '-c', 'echo kept; sleep 60'], timeoutMs: 3000 }),
    )
    expect(late).toMatchObject({ rpcCode: -32_005, code: 'HOLM_TIMEOUT', data: { stdout: 'kept\n' } })
    const much = await client.call('exec.run', { environment, argv: ['sh', '-c', 'seq 100000; echo last'] })
    expect(much).toMatchObject({ code: 0, truncated: true })
    expect(much.stdout.endsWith('100000\nlast\n')).toBe(true)
  })

  it('streams both ways, and signals', async () => {
    const stage = await setStage()
    await stage.host.up({})
    const client = await stage.client(way)
    const cat = await client.exec({ environment, argv: ['sh', '-c', 'cat; echo end >&2'], stdin: true })
    const texts = Promise.all([textOf(cat.stdout), textOf(cat.stderr)])
    await cat.write('one ')
    await cat.write('two')
    await cat.end()
    expect(await texts).toEqual(['one two', 'end\n'])
    expect(await cat.exited).toEqual({ code: 0, timedOut: false })
    const sleeper = await client.exec({ environment, argv: ['sleep', '600'] })
    await sleeper.kill('SIGINT')
    expect(await sleeper.exited).toMatchObject({ code: 130 })
    await sleeper.kill()
    const limited = await client.exec({ environment, argv: ['sleep', '600'], timeoutMs: 200 })
    expect(await limited.exited).toMatchObject({ timedOut: true, code: 143 })
    expect(await refusal(cat.write('late'))).toMatchObject({ code: 'HOLM_COMMAND_FAILED' })
    const deaf = await client.exec({ environment, argv: ['true'] })
    expect(await refusal(deaf.write('x'))).toHaveProperty('code')
  })

  it('tells of changes and events', async () => {
    const stage = await setStage()
    await stage.host.up({})
    const client = await stage.client(way)
    const seen = new Set<string>()
    const watching = await client.watch({ environment, path: '.', recursive: true }, ({ paths }) => {
      for (const path of paths) seen.add(path)
    })
    stage.write('deep/er/file', 'x')
    await waitFor(() => seen.has('deep/er/file'), { what: 'the new file to be told', deadlineMs: 30_000 })
    stage.write('deep/er/other', 'x')
    await waitFor(() => seen.has('deep/er/other'), { what: 'a file in a new folder', deadlineMs: 30_000 })
    await watching.cancel()
    const statuses: (string | undefined)[] = []
    await client.onEvent({ environment }, ({ event }) => {
      if (event.type === 'state') statuses.push(event.status)
    })
    await client.call('environment.stop', { name: environment })
    await waitFor(() => statuses.includes('stopped'), { what: 'the stop to be told', deadlineMs: 30_000 })
    expect(await client.call('fs.exists', { environment, path: 'deep/er/other' })).toEqual({ exists: true })
    expect(await client.call('environment.show', { name: environment })).toMatchObject({ status: 'stopped' })
  })

  it('cancels a call', async () => {
    const stage = await setStage()
    await stage.host.up({})
    const client = await stage.client(way)
    const abort = new AbortController()
    const script = 'trap "echo ended > ended; exit" TERM; touch begun; while :; do sleep 0.05; done'
    const running = refusal(
      client.call('exec.run', { environment, argv: ['sh', '-c', script] }, { signal: abort.signal }),
    )
    const begun = () => client.call('fs.exists', { environment, path: 'begun' })
    await waitFor(async () => (await begun()).exists, { what: 'the program to begin', deadlineMs: 30_000 })
    abort.abort()
    expect(await running).toMatchObject({ code: 'HOLM_INTERRUPTED' })
    const ended = () => client.call('fs.exists', { environment, path: 'ended' })
    await waitFor(async () => (await ended()).exists, { what: 'the program to be ended', deadlineMs: 30_000 })
    expect(await refusal(client.call('session.info', {}, { signal: abort.signal }))).toMatchObject({
      code: 'HOLM_INTERRUPTED',
    })
  })
})

it('answers as the table says', async () => {
  const stage = await setStage()
  const client = await stage.client('socket')
  const { environment: made, outcome } = await client.call('environment.up', { folder: stage.project })
  expect(outcome).toBe('created')
  expect(methods['environment.show'].result.parse(made)).toMatchObject({ name: 'demo', status: 'running' })
  const info = methods['session.info'].result.parse(await client.call('session.info', {}))
  expect(info.methods).toEqual(Object.keys(methods))
  const listed = await client.call('environment.list', {})
  expect(methods['environment.list'].result.parse(listed).environments).toHaveLength(1)
  await client.call('environment.destroy', { name: 'demo' })
  expect((await client.call('environment.list', {})).environments).toEqual([])
  expect(Object.keys(notifications)).toContain('exec.output')
})

it('tells how far a call is', async () => {
  const stage = await setStage()
  const client = await stage.client('websocket')
  const steps: (string | undefined)[] = []
  await client.call(
    'environment.up',
    { folder: stage.project },
    { onProgress: ({ type, step }) => void (type === 'step-done' && steps.push(step)) },
  )
  expect(steps.length).toBeGreaterThan(0)
})
