import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { setStage, type Stage } from './stage.ts'

/** Each command writes its stage into a file of the repository. */
function commit({ write, git, repository, folder }: Stage, extra: object = {}): string {
  const said = join(folder, 'said')
  const note = (word: string) => ({
    name: word,
    command: 'sh',
    args: ['-c', 'echo "$WORD" >>"$0"', said],
    env: { WORD: word },
  })
  const names = ['pre-start', 'post-start', 'pre-stop', 'post-stop']
  const hooks = { ...Object.fromEntries(names.map((name) => [name, [note(name)]])), ...extra }
  write(join(repository, '.nexus', 'lifecycle.json'), JSON.stringify({ version: '1', hooks }))
  git(repository, 'add', '--all')
  git(repository, 'commit', '--quiet', '--message', 'lifecycle')
  return said
}

const lines = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
// Programs of the memory provider are programs of this machine: its services have one folder for all.
const services = `services:\n  web-${process.pid}-${Date.now()}:\n    command: 'echo service >>"$SAID"; sleep 1000'\n    environment: { SAID: "%s" }\n    healthcheck: { command: 'grep -q service "$SAID"', interval: 50ms, retries: 500 }\n`

it.each([
  { what: 'without services', yaml: '', between: [] },
  { what: 'around services', yaml: services, between: ['service'] },
])('runs the commands of each start and stop once, $what', { timeout: 60_000 }, async ({ yaml, between }) => {
  const stage = await setStage()
  const { workspaces, write, repository, folder } = stage
  write(join(repository, 'holm.yaml'), `name: demo\nbase: host\n${yaml.replace('%s', join(folder, 'said'))}`)
  const said = commit(stage)
  await workspaces.create('fix', { cwd: repository })
  const begin = ['pre-start', ...between, 'post-start']
  expect(lines(said)).toEqual(begin)
  await workspaces.start('fix')
  expect(lines(said)).toEqual(begin)
  await workspaces.stop('fix')
  expect(lines(said)).toEqual([...begin, 'pre-stop', 'post-stop'])
  await workspaces.start('fix')
  // What the service said at its first start makes it healthy at once now: it may say it after the last command.
  const again = (): string[] => lines(said).slice(begin.length + 2)
  await expect.poll(() => again().toSorted(), { timeout: 30_000 }).toEqual(begin.toSorted())
  expect(again().filter((word) => word !== 'service')).toEqual(['pre-start', 'post-start'])
  await workspaces.stop('fix')
})

it('is a stop and a start where a workspace gets another name', { timeout: 60_000 }, async () => {
  const stage = await setStage()
  const { workspaces, repository, provider } = stage
  const said = commit(stage)
  await workspaces.create('fix', { cwd: repository })
  const before = lines(said)
  await workspaces.rename('fix', 'tidy')
  const [stop, start] = [
    ['pre-stop', 'post-stop'],
    ['pre-start', 'post-start'],
  ]
  expect(lines(said)).toEqual([...before, ...stop, ...start])
  // Also of one that has to be undone, and of none that is refused at once.
  await expect(workspaces.rename('tidy', 'A b')).rejects.toMatchObject({ code: 'HOLM_NAME_INVALID' })
  provider.faults['clone.clone'] = { code: 'HOLM_DISK_FULL' }
  await expect(workspaces.rename('tidy', 'fix')).rejects.toMatchObject({ code: 'HOLM_DISK_FULL' })
  expect(lines(said)).toEqual([...before, ...stop, ...start, ...stop, ...start])
})

it(
  'keeps what a command said that was not done in time, and leaves out the rest of its stage',
  { timeout: 60_000 },
  async () => {
    const stage = await setStage()
    const slow = {
      name: 'slow',
      command: 'sh',
      args: ['-c', 'echo "so far"; exec sleep 1000'],
      timeout: '5s',
    }
    const never = { command: 'touch', args: ['never'] }
    const said = commit(stage, { 'pre-start': [slow, never] })
    const { path } = await stage.workspaces.create('fix', { cwd: stage.repository })
    const [warning = ''] = stage.warnings
    expect(warning).toMatch(
      /^pre-start slow was not done within 5 s; 1 more of pre-start is left out \(all of it: .*fix\.log\)\nso far$/,
    )
    expect(existsSync(join(path, 'never'))).toBe(false)
    // The next stage is another matter.
    expect(lines(said)).toEqual(['post-start'])
    const [, log = ''] = /all of it: (.*)\)/.exec(warning) ?? []
    expect(readFileSync(log, 'utf8')).toContain('== pre-start slow: was not done')
    await stage.workspaces.delete('fix')
    expect(existsSync(log)).toBe(false)
  },
)

it(
  'stops what was given a broken file meanwhile, and says what is left out',
  { timeout: 60_000 },
  async () => {
    const stage = await setStage()
    commit(stage)
    const { path } = await stage.workspaces.create('fix', { cwd: stage.repository })
    stage.write(join(path, '.nexus', 'lifecycle.json'), '{ broken')
    await expect(stage.workspaces.stop('fix')).resolves.toMatchObject({ status: 'stopped' })
    expect(stage.warnings).toEqual([
      expect.stringMatching(/^pre-stop of fix is left out: .*lifecycle\.json: /),
      expect.stringMatching(/^post-stop of fix is left out: .*lifecycle\.json: /),
    ])
    await expect(stage.workspaces.start('fix')).rejects.toMatchObject({ code: 'HOLM_CONFIG_INVALID' })
    await expect(stage.workspaces.delete('fix')).resolves.toMatchObject({ name: 'fix' })
  },
)
