import { describe, expect, it } from 'vitest'
import { commandLineToArgv, toCommandLine } from '../test/stand-in/command-line.ts'
import {
  assertWords,
  distributionName,
  environmentName,
  importArgv,
  passEnvironment,
  quoteWindows,
  shellArgv,
} from './argv.ts'
import { planExec } from './exec.ts'

const awkward = [
  '',
  'plain',
  'two words',
  'tab\there',
  'line\nbreak',
  'double"quote',
  '"',
  '\\',
  'ends\\',
  'ends with space\\ ',
  'two words\\\\',
  'a\\"b',
  '\\\\server\\share x\\',
  '$HOME `id` $(id) %PATH% ^ & | < >',
  "single'quote",
  'ünïcode ✓ 🙂',
]

describe('a command line of Windows', () => {
  it('brings every word back, as wsl.exe reads what follows --exec', () => {
    const line = awkward.map(quoteWindows).join(' ')
    expect(commandLineToArgv(`/bin/sh ${line}`)).toEqual(['/bin/sh', ...awkward])
    expect(toCommandLine(awkward)).toBe(line)
  })

  it('has no escapes in its first word: a program with a quote in its name needs a shell before it', () => {
    expect(commandLineToArgv(toCommandLine(['a"b c', 'x']))[0]).not.toBe('a"b c')
    expect(commandLineToArgv(toCommandLine(['/bin/sh', 'a"b c']))).toEqual(['/bin/sh', 'a"b c'])
  })

  it('is at most 32 766 characters long, quotes included', () => {
    const request = { argv: ['echo', '"'.repeat(20_000)] }
    expect(() => assertWords({ argv: ['echo', 'x'.repeat(30_000)] })).not.toThrow()
    expect(() => assertWords(request)).toThrowError(expect.objectContaining({ code: 'HOLM_USAGE' }) as Error)
    for (const bad of [
      { argv: [] },
      { argv: ['a\0'] },
      { argv: ['a'], cwd: '\0' },
      { argv: ['a'], env: { A: '\0' } },
    ])
      expect(() => assertWords(bad)).toThrowError(expect.objectContaining({ code: 'HOLM_USAGE' }) as Error)
  })
})

it('names of distributions are told apart by namespace', () => {
  expect(distributionName('a-b', 'c')).toBe('holm.a-b.c')
  expect(environmentName('a-b', 'holm.a-b.c')).toBe('c')
  for (const other of ['holm.a.b-c', 'Ubuntu', 'docker-desktop', 'holm.a-bc.c'])
    expect(environmentName('a-b', other)).toBeUndefined()
})

it('words of wsl.exe', () => {
  expect(importArgv('holm.n.x', 'C:\\d k', '-')).toEqual([
    '--import',
    'holm.n.x',
    'C:\\d k',
    '-',
    '--version',
    '2',
  ])
  expect(shellArgv({ distribution: 'holm.n.x', script: 's', words: ['0', '1'] })).toEqual([
    '--distribution',
    'holm.n.x',
    '--user',
    'root',
    '--exec',
    '/bin/sh',
    '-c',
    's',
    '0',
    '1',
  ])
})

describe('variables', () => {
  const place = { distribution: 'holm.n.x', token: 't', base: { PATH: 'C:\\', WSLENV: 'LEAK/u' } }

  it('travel under neutral names, and never in a command line', () => {
    const { argv, env } = planExec(
      place,
      { env: { A: 'spec', B: 'b' } },
      { argv: ['p'], env: { A: 's3cret', a: '' } },
    )
    expect(argv.join(' ')).not.toContain('s3cret')
    expect(env).toMatchObject({ HOLM_V0: 'A=s3cret', HOLM_V1: 'B=b', HOLM_V2: 'a=', PATH: 'C:\\' })
    expect(env['WSLENV']).toBe('WSL_UTF8/w:WSL_DISABLE_WARNINGS/w:HOLM_V0:HOLM_V1:HOLM_V2')
  })

  it('with names that no shell knows go through env', () => {
    const { argv } = planExec(place, { env: {} }, { argv: ['p', 'q'], env: { 'a.b': '1 2' } })
    expect(argv.slice(-4)).toEqual(['env', 'a.b=1 2', 'p', 'q'])
  })

  it('of this process pass nothing inside by themselves', () => {
    expect(passEnvironment({ WSLENV: 'SECRET' }, {}).env['WSLENV']).not.toContain('SECRET')
  })
})
