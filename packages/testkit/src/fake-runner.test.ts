import { expect, it } from 'vitest'
import { collect } from './collect.ts'
import { createFakeRunner } from './fake-runner.ts'

it('replays what was recorded and remembers the calls', async () => {
  const runner = createFakeRunner([
    { argv: ['lxc', 'list'], stdout: '[]' },
    { argv: ([program]) => program === 'fails', code: 3, stderr: 'why' },
  ])
  expect(await runner.run(['lxc', 'list'])).toEqual({ code: 0, stdout: '[]', stderr: '' })
  const { code, errorText } = await collect(await runner.spawn(['fails', 'anyhow']))
  expect({ code, errorText }).toEqual({ code: 3, errorText: 'why' })
  expect(runner.calls.map(({ argv }) => argv)).toEqual([
    ['lxc', 'list'],
    ['fails', 'anyhow'],
  ])
})

it('serves a recording once when told so, and refuses what it does not know', async () => {
  const runner = createFakeRunner([{ argv: ['a'], once: true }])
  await runner.run(['a'])
  await expect(runner.run(['a'])).rejects.toThrow('no recording of ["a"]')
})

it('plays a missing program', async () => {
  const runner = createFakeRunner([{ argv: ['gone'], missing: true }])
  await expect(runner.run(['gone'])).rejects.toMatchObject({ code: 'HOLM_TOOL_MISSING' })
})
