import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { entryArgv, entryScript, signalScript, variablesLine } from './exec-script.ts'

const values = {
  PLAIN: 'plain',
  LINES: 'one\ntwo\n\nfour\n',
  QUOTES: `'single' "double" \\back`,
  SHELL_WORDS: '$HOME $(id) `id` ; & | * ~',
  EMPTY: '',
  'not a name': 'kept = too',
  'ünï.code': '✓',
}

it('is one line, whatever the values hold', () => {
  expect(variablesLine(values, 'env').trimEnd()).not.toContain('\n')
})

const run = (argv: readonly string[]): { readonly stdout: string; readonly stderr: string } => {
  const script = entryScript({ pty: false, cwd: '/', identity: [] })
  const [program = '', ...args] = entryArgv(script, { words: ['/', ...argv] })
  const input = `${variablesLine(values, argv[0] ?? '')}what the program reads\n`
  const { stdout, stderr } = spawnSync(program, args, { input, env: { PATH: process.env['PATH'] ?? '' } })
  return { stdout: String(stdout), stderr: String(stderr) }
}

it('a shell reads that line and nothing behind it, and becomes the program', () => {
  expect(run(['cat']).stdout).toBe('what the program reads\n')
  const { stdout, stderr } = run(['env', '-0'])
  expect(stderr).toMatch(/^holm \d+\n$/)
  for (const [name, value] of Object.entries(values)) expect(`\0${stdout}`).toContain(`\0${name}=${value}\0`)
  expect(stdout).not.toContain('holm_')
})

it('says that a folder is not there, and starts nothing', () => {
  const script = entryScript({ pty: false, cwd: '/nonexistent', identity: [] })
  const [program = '', ...args] = entryArgv(script, { words: ['/nonexistent', 'echo', 'ran'] })
  const { stdout, stderr, status } = spawnSync(program, args, { input: '' })
  expect([String(stdout), String(stderr), status]).toEqual(['', 'holm cwd\n', 126])
})

it('signals a whole group, and no process besides', () => {
  const script = `
    setsid /bin/sh -c 'sleep 311 & sleep 312 & echo $$ > "$1"; wait' sh "$1" & other=$!
    setsid sleep 313 & apart=$!
    until test -s "$1"; do sleep 0.01; done
    /bin/sh -c "$2" sh 9 "$(cat "$1")" 0 "$(cat "$1")"
    wait $other 2>/dev/null
    kill -0 $apart && kill $apart && echo apart lives`
  const file = `/tmp/holm-incus-signal-${process.pid}`
  const { stdout } = spawnSync('/bin/sh', ['-c', script, 'sh', file, signalScript])
  expect(String(stdout)).toBe('apart lives\n')
  spawnSync('rm', ['-f', file])
})
