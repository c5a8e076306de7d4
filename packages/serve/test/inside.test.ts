import { expect, it } from 'vitest'
import { refusal, setStage } from './stage.ts'

const environment = 'demo'

it('reaches files inside where none are mounted', async () => {
  const stage = await setStage()
  stage.write('holm.yaml', 'name: demo\nbase: host\nproject: false\nworkdir: /var/tmp\n')
  await stage.host.up({})
  const client = await stage.client('socket')
  const call = client.call as (method: string, params: object) => Promise<unknown>
  await client.call('exec.run', { environment, argv: ['ln', '-s', '/root', 'out'] })
  await client.call('exec.run', { environment, argv: ['ln', '-s', "it's/new", 'in'] })
  expect(await client.call('fs.mkdir', { environment, path: "it's/new", recursive: true })).toEqual({
    created: true,
  })
  expect(await client.call('fs.mkdir', { environment, path: "it's/new", recursive: true })).toEqual({
    created: false,
  })
  const bytes = Uint8Array.from({ length: 600_000 }, (_, index) => index % 256)
  await client.writeFile({ environment, path: 'in/-n big' }, bytes)
  expect(await client.readFile({ environment, path: "it's/new/-n big" })).toEqual(bytes)
  await client.call('fs.writeFile', { environment, path: 'a', data: 'eins', mode: 'create' })
  await client.call('fs.writeFile', { environment, path: 'a', data: ' zwei', mode: 'append' })
  expect(await client.call('fs.readFile', { environment, path: 'a' })).toMatchObject({
    data: 'eins zwei',
    size: 9,
    end: true,
  })
  expect((await client.call('fs.readdir', { environment, path: '.' })).entries).toEqual([
    { name: 'a', type: 'file' },
    { name: 'in', type: 'symlink' },
    { name: "it's", type: 'directory' },
    { name: 'out', type: 'symlink' },
  ])
  const stat = await client.call('fs.stat', { environment, path: 'a' })
  expect(stat).toMatchObject({ type: 'file', size: 9 })
  expect(Date.parse(stat.modifiedAt)).toBeGreaterThan(Date.now() - 600_000)
  const cases: readonly (readonly [string, object, number, string])[] = [
    ['fs.readFile', { path: 'nothing' }, -32_003, 'HOLM_FILE_NOT_FOUND'],
    ['fs.readFile', { path: 'a/b' }, -32_003, 'HOLM_FILE_NOT_FOUND'],
    ['fs.readFile', { path: '/etc/passwd' }, -32_006, 'HOLM_PATH_OUTSIDE'],
    ['fs.readFile', { path: '../../etc/passwd' }, -32_006, 'HOLM_PATH_OUTSIDE'],
    ['fs.writeFile', { path: 'out/x', data: '' }, -32_006, 'HOLM_PATH_OUTSIDE'],
    ['fs.mkdir', { path: 'out/x', recursive: true }, -32_006, 'HOLM_PATH_OUTSIDE'],
    ['fs.rm', { path: 'out/.ssh', force: true }, -32_006, 'HOLM_PATH_OUTSIDE'],
    ['fs.writeFile', { path: 'a', data: '', mode: 'create' }, -32_000, 'HOLM_FILE_FAILED'],
    ['fs.writeFile', { path: 'no/x', data: '' }, -32_003, 'HOLM_FILE_NOT_FOUND'],
    ['fs.readFile', { path: "it's" }, -32_000, 'HOLM_FILE_FAILED'],
    ['fs.readdir', { path: 'a' }, -32_000, 'HOLM_FILE_FAILED'],
    ['fs.mkdir', { path: 'a' }, -32_000, 'HOLM_FILE_FAILED'],
    ['fs.rm', { path: "it's" }, -32_000, 'HOLM_FILE_FAILED'],
    ['fs.rm', { path: "it's/..", recursive: true }, -32_000, 'HOLM_FILE_FAILED'],
    ['fs.watch', { path: '.' }, -32_000, 'HOLM_BLUEPRINT_UNSUPPORTED'],
  ]
  for (const [method, params, rpcCode, code] of cases)
    expect(await refusal(call(method, { environment, ...params })), JSON.stringify(params)).toMatchObject({
      rpcCode,
      code,
    })
  expect(await client.call('fs.rm', { environment, path: 'out' })).toEqual({ existed: true })
  expect(await client.call('fs.rm', { environment, path: "it's", recursive: true })).toEqual({
    existed: true,
  })
  expect(await client.call('fs.exists', { environment, path: "it's" })).toEqual({ exists: false })
})
