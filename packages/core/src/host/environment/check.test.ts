import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryProvider, type MemoryProvider } from '@holm/testkit/memory'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { definePlugin, type CheckOptions, type HostApi } from '../../index.ts'
import { createHost } from '../create-host.ts'
import { readText } from '../runner.ts'

let folder: string
let provider: MemoryProvider
let host: HostApi

beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'holm-check-')))
  mkdirSync(join(folder, 'project'))
  provider = createMemoryProvider({ root: join(folder, 'memory') })
  const plugin = definePlugin({
    name: 'test-memory',
    contract: 1,
    setup: (api) => void api.provide('provider', 'memory', () => provider),
  })
  host = await createHost({
    cwd: join(folder, 'project'),
    plugins: [plugin],
    env: { PATH: process.env['PATH'], HOME: folder, HOLM_HOME: join(folder, 'home') },
  })
})
afterEach(async () => {
  await host.close()
  await provider.dispose()
  rmSync(folder, { recursive: true })
})

const declare = (check: string): void =>
  writeFileSync(join(folder, 'project/holm.yaml'), `base: host\nenvironment: { WORD: works }\n${check}`)

const check = async (options?: CheckOptions): Promise<{ code: number; text: string }> => {
  const program = await host.check(options)
  const text = await readText(program.stdout)
  return { code: (await program.exited).code, text }
}

it('runs the check of the blueprint inside, with its variables, and tells its exit code', async () => {
  declare(`check: 'echo "$WORD"; exit 3'`)
  await host.up()
  expect(await check()).toEqual({ code: 3, text: 'works\n' })
  expect(await check({ environment: 'project', env: { WORD: 'differs' } })).toEqual({
    code: 3,
    text: 'differs\n',
  })
})

it('a list is run without a shell', async () => {
  declare(`check: [printf, '%s', '$WORD']`)
  await host.up()
  expect(await check()).toEqual({ code: 0, text: '$WORD' })
})

it('a corrected check needs no new up', async () => {
  declare('check: exit 1')
  await host.up()
  declare('check: exit 0')
  expect(await check()).toEqual({ code: 0, text: '' })
})

it('a clone has the check of its origin', async () => {
  declare('check: echo "$WORD"')
  await host.up()
  await host.clone('project', 'twin')
  expect(await check({ environment: 'twin' })).toEqual({ code: 0, text: 'works\n' })
})

it('a blueprint without a check, and an environment that is not there, are told', async () => {
  await expect(host.check()).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_FOUND' })
  declare('')
  await host.up()
  await expect(host.check()).rejects.toMatchObject({
    code: 'HOLM_USAGE',
    message: 'environment project has no check: project declares none',
  })
})

it('a stopped environment is told of', async () => {
  declare('check: "true"')
  await host.up()
  await host.stop()
  await expect(host.check()).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_RUNNING' })
})
