import { spawnSync } from 'node:child_process'
import type { ExecRequest } from '@holm/core'
import { describe, expect, it } from 'vitest'
import { killWords, pipeWords, programScript } from './program.ts'

const nonce = 'holm0123'
const record = { env: { FROM: 'record', BOTH: 'record' }, hostname: 'web' }

/** The words as limactl's ssh would run them, without sudo. */
function run(request: ExecRequest, input = ''): { code: number | null; text: string; errorText: string } {
  const script = programScript({ request, record, nonce })
  const [, , program = '', ...args] = pipeWords(script, nonce)
  const { status, stdout, stderr } = spawnSync(program, args, {
    input: `${script}${input}`,
    encoding: 'utf8',
  })
  return { code: status, text: stdout, errorText: stderr }
}

describe('the script of a program', { skip: process.platform !== 'linux' }, () => {
  it('marks both streams, and leaves the rest of the input to the program', () => {
    const { code, text, errorText } = run({ argv: ['cat'], cwd: '/' }, 'input\n')
    expect(text).toMatch(/^holm0123 \d+\ninput\n$/)
    expect(errorText).toMatch(/^holm0123 \d+\n$/)
    expect(code).toBe(0)
  })

  it('gives words and variables as they are, later ones win', () => {
    const odd = `it's "a" $HOME \`id\`\nline`
    const argv = ['sh', '-c', 'printf "%s|%s|%s|%s" "$1" "$FROM" "$BOTH" "$CALL"', 'sh', odd]
    const { text } = run({ argv, cwd: '/', env: { BOTH: 'call', CALL: odd } })
    expect(text.split('\n').slice(1).join('\n')).toBe(`${odd}|record|call|${odd}`)
  })

  it('passes on a variable that no shell can hold', () => {
    const { text } = run({ argv: ['env'], cwd: '/', env: { 'a.b': 'dotted' } })
    expect(text).toContain('a.b=dotted\n')
  })

  it('turns the death by a signal into a code, and says 127, 126', () => {
    expect(run({ argv: ['sh', '-c', 'kill -KILL $$'], cwd: '/' }).code).toBe(137)
    expect(run({ argv: ['holm-no-such-program'], cwd: '/' }).code).toBe(127)
    expect(run({ argv: ['/etc/passwd'], cwd: '/' }).code).toBe(126)
    expect(run({ argv: ['true'], cwd: '/nonexistent' }).code).toBe(126)
  })

  it('lets the program trap every signal', () => {
    const argv = ['sh', '-c', 'trap "echo trapped; exit 3" INT; kill -INT $$; echo missed']
    expect(run({ argv, cwd: '/' })).toMatchObject({ code: 3 })
  })

  it('refuses a user that is not there', () => {
    const { code, errorText } = run({ argv: ['id'], cwd: '/', user: 'nobody-of-that-name' })
    expect(code).toBe(126)
    expect(errorText).toContain('no user nobody-of-that-name')
  })
})

describe('command lines', () => {
  it('hold nothing of the program', () => {
    const request = { argv: ['secret-program'], env: { TOKEN: 'secret-value' } }
    const words = pipeWords(programScript({ request, record, nonce }), nonce).join(' ')
    expect(words).not.toContain('secret')
  })

  it('name the signal without its prefix', () => {
    expect(killWords('SIGTERM', '12', { terminal: false }).slice(-2)).toEqual(['TERM', '12'])
  })
})
