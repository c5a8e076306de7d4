import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CommandInput, CommandResult, HolmError } from '@holm/core'
import { expect, it } from 'vitest'
import { setStage, type Stage } from './stage.ts'

async function run(
  { host, repository }: Stage,
  id: string,
  given: Partial<Pick<CommandInput, 'args' | 'flags' | 'terminal'>> = {},
): Promise<CommandResult | void> {
  const command = await host.commands.load(id)
  return command.run({
    args: {},
    flags: {},
    rest: [],
    words: [],
    host,
    signal: new AbortController().signal,
    terminal: silent,
    cwd: repository,
    ...given,
  })
}

const never = (): Promise<never> => Promise.reject(new Error('nobody is to be asked'))

const silent: CommandInput['terminal'] = {
  interactive: false,
  json: false,
  verbose: false,
  confirm: never,
  choose: never,
}

it('tells the shell which workspace is in use, and refuses one that is not there', async () => {
  const stage = await setStage()
  await stage.workspaces.create('fix', { cwd: stage.repository })
  const shell = { flags: { shell: true } }
  await expect(run(stage, 'workspace use', { args: { name: 'fix' }, ...shell })).resolves.toMatchObject({
    text: 'export HOLM_WORKSPACE=fix',
  })
  await expect(run(stage, 'workspace use', { args: { name: '-' }, ...shell })).resolves.toMatchObject({
    text: 'unset HOLM_WORKSPACE',
  })
  await expect(run(stage, 'workspace use', { args: { name: 'fix' } })).resolves.toMatchObject({
    text: 'let this shell do it: eval "$(holm workspace use fix --shell)"',
  })
  await expect(run(stage, 'workspace use')).resolves.toMatchObject({ data: { name: null } })
  await expect(run(stage, 'workspace use', { args: { name: '$(rm)' }, ...shell })).rejects.toMatchObject({
    code: 'HOLM_WORKSPACE_NOT_FOUND',
    hint: 'There are: fix',
  })
  await expect(run(stage, 'workspace show')).rejects.toMatchObject({ code: 'HOLM_USAGE' })
})

it('asks before a rename ends what runs, and only then', async () => {
  const stage = await setStage()
  const { workspaces, repository, host } = stage
  await workspaces.create('fix', { cwd: repository })
  const rename = (answer: boolean, asked: string[] = []) =>
    run(stage, 'workspace rename', {
      args: { name: 'fix', new: 'tidy' },
      terminal: { ...silent, confirm: async (question) => (asked.push(question), answer) },
    })
  const asked: string[] = []
  await expect(rename(false, asked)).resolves.toMatchObject({ data: { renamed: false, name: 'fix' } })
  expect(asked).toEqual(['Rename fix to tidy? (what runs inside ends, and it is started again)'])
  await expect(rename(true)).resolves.toMatchObject({
    data: { name: 'tidy', was: 'fix', status: 'running', renamed: true },
    text: expect.stringMatching(/^fix is tidy now: branch holm\/tidy at [0-9a-f]{10}\nfiles  .*tidy$/),
  })
  // What is stopped, and loses nothing, is renamed without a question.
  await host.stop('tidy')
  await expect(run(stage, 'workspace rename', { args: { name: 'tidy', new: 'fix' } })).resolves.toMatchObject(
    { data: { name: 'fix', status: 'stopped' } },
  )
})

it('opens an editor over ssh, once ssh knows the name and sshd is there', async () => {
  const stage = await setStage()
  const { folder, host, workspaces, repository } = stage
  await workspaces.create('fix', { cwd: repository })
  const editor = join(folder, 'code')
  const said = join(folder, 'said')
  writeFileSync(editor, `#!/bin/sh\nprintf '%s\\n' "$@" >"${said}"\n`, { mode: 0o755 })
  const open = (flags = {}) =>
    run(stage, 'workspace open', { args: { name: 'fix' }, flags: { editor, ...flags } })
  await expect(open({ print: true })).resolves.toMatchObject({
    data: { argv: [editor, '--remote', 'ssh-remote+ws.fix', expect.any(String)], opened: false },
  })
  const unknown = await open().catch((error: unknown) => error)
  expect(unknown).toMatchObject({
    code: 'HOLM_CONFIG_INVALID',
    hint: expect.stringContaining('holm ssh-config'),
  })
  await expect(open({ editor: 'vim' })).rejects.toMatchObject({ code: 'HOLM_TOOL_MISSING' })
  mkdirSync(join(folder, '.ssh'))
  const { included } = (unknown as HolmError).details ?? {}
  writeFileSync(join(folder, '.ssh', 'config'), `Include "${String(included)}"\n`)
  await host.stop('fix')
  const opened = await open().catch((error: unknown) => error)
  // Whether this machine has sshd decides; either way it was started first.
  expect(opened).toMatchObject(
    opened instanceof Error
      ? { code: 'HOLM_TOOL_MISSING', message: 'sshd is not installed in fix' }
      : { data: { opened: true } },
  )
  await expect(workspaces.show('fix')).resolves.toMatchObject({ status: 'running' })
})

it('watches all workspaces: a table with keys, and lines for what changed', async () => {
  const stage = await setStage()
  const { workspaces, repository } = stage
  await workspaces.create('fix', { cwd: repository })
  const result = await run(stage, 'watch')
  if (!result?.live) throw new Error('there is nothing to see')
  const { columns, rows } = await result.live.read()
  expect(columns.slice(0, 2)).toEqual(['name', 'status'])
  expect(rows).toEqual([expect.arrayContaining(['fix', 'running', 'holm/fix'])])
  expect(result.live.keys.map(({ key, next }) => [key, ...next('fix')])).toEqual([
    ['e', 'workspace', 'shell', 'fix'],
    ['s', 'workspace', 'stop', 'fix'],
    ['u', 'workspace', 'start', 'fix'],
    ['d', 'workspace', 'diff', 'fix'],
  ])
  const lines = (result.data as AsyncIterable<object>)[Symbol.asyncIterator]()
  const { value: first } = await lines.next()
  expect(first).toMatchObject({
    name: 'fix',
    status: 'running',
    text: expect.stringMatching(/^fix  running/),
  })
  await workspaces.stop('fix')
  const { value: second } = await lines.next()
  expect(second).toMatchObject({ name: 'fix', status: 'stopped', cpuPercent: null })
  await lines.return?.()
})
