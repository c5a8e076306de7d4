import { describe, expect, it } from 'vitest'
import { environment } from '../../test/fake-host.ts'
import { runHolm } from '../../test/run-holm.ts'

async function complete(...words: string[]): Promise<string[]> {
  const host = {
    list: () => Promise.resolve([environment]),
    blueprints: {
      list: () =>
        Promise.resolve([
          { name: 'python-dev', description: 'Python', base: 'debian-12', source: 'builtin:python-dev' },
        ]),
    },
    providers: {
      list: () =>
        Promise.resolve([{ id: 'docker', plugin: 'p', platforms: [], facets: [], traits: undefined }]),
    },
    commands: {
      list: () =>
        Promise.resolve([
          { id: 'hello', summary: 'Say hello.', examples: [], plugin: 'p' },
          {
            id: 'many',
            summary: 'Take several.',
            examples: [],
            args: [{ name: 'file', description: 'Which.', completes: 'file' as const, multiple: true }],
            plugin: 'p',
          },
        ]),
    },
  }
  const run = await runHolm(['__complete', '--', ...words], { host })
  expect(run).toMatchObject({ code: 0, stderr: '' })
  return run.stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t')[0] ?? '')
}

describe('completion', () => {
  it('offers commands, those of plugins too, and the words of topics', async () => {
    expect(await complete('')).toEqual(expect.arrayContaining(['up', 'list', 'ls', 'blueprint', 'hello']))
    expect(await complete('')).not.toContain('__complete')
    expect(await complete('st')).toEqual(['status', 'start', 'stop'])
    expect(await complete('blueprint', '')).toEqual(['list', 'show', 'validate'])
    expect(await complete('base', 'i')).toEqual(['import'])
  })

  it('offers flags and the values of flags', async () => {
    expect(await complete('up', '--re')).toEqual(['--recreate'])
    expect(await complete('up', '-p', '')).toEqual(['docker'])
    expect(await complete('up', '--provider=d')).toEqual(['--provider=docker'])
    expect(await complete('config', 'set', 'a', 'b', '--scope', '')).toEqual(['user', 'project'])
    expect(await complete('--j')).toEqual(['--json'])
  })

  it('offers names where the argument is one, files where it is a file', async () => {
    expect(await complete('status', '')).toEqual(['web'])
    expect(await complete('up', '')).toEqual(['python-dev', ':files'])
    expect(await complete('up', '-n', 'x', 'py')).toEqual(['python-dev', ':files'])
    expect(await complete('exec', 'web', '')).toEqual(['--'])
    expect(await complete('exec', 'web', '--', '')).toEqual([':files'])
    expect(await complete('plugins', 'link', '')).toEqual([':files'])
    expect(await complete('list', '')).toEqual([''])
    expect(await complete('many', 'a', 'b', '')).toEqual([':files'])
  })

  it('answers built-in commands and flags without a host', async () => {
    const openHost = (): Promise<never> => Promise.reject(new Error('the host was opened'))
    const run = await runHolm(['__complete', '--', 'up', '--'], { openHost })
    expect(run.stdout).toContain('--recreate\tRemove the environment and make it anew.')
    expect(run).toMatchObject({ code: 0, stderr: '' })
  })
})
