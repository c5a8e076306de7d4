import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Ended } from '../support/holm.ts'
import { runProgram } from '../support/holm.ts'
import { cli, createFaultHolm, expectCode, prepare, subjects, type FaultHolm } from './support/fault-holm.ts'

describe.each(subjects)('exec on $provider', (subject) => {
  let holm: FaultHolm
  const reason = subject.missing()
  const skipped = reason === undefined ? '' : ` (skipped: ${reason})`

  describe.skipIf(reason !== undefined)(`in a running environment${skipped}`, () => {
    beforeAll(async () => {
      holm = createFaultHolm()
      await prepare(holm, subject)
      await expectCode(holm, ['up'], 0)
    })
    afterAll(() => holm.dispose())

    /** A line of a shell, with `holm` and a folder for its files. */
    function shell(line: string): Promise<Ended> {
      return runProgram(['bash', '-c', line], {
        cwd: holm.project,
        env: { ...holm.env, holm: cli, files: holm.folder },
      })
    }

    test('ends with its reader', async () => {
      const { stdout, stderr, code } = await shell('"$holm" exec -- yes | head -1; echo "${PIPESTATUS[0]}"')
      expect({ stdout, stderr, code }).toEqual({ stdout: 'y\n141\n', stderr: '', code: 0 })
      const running = await expectCode(holm, ['exec', '--', 'sh', '-c', 'cat /proc/[0-9]*/comm'], 0)
      expect(running.stdout.split('\n')).not.toContain('yes')
    })

    test('takes a stdin that is closed', async () => {
      expect(await shell('"$holm" exec -- cat <&-; "$holm" list --json <&- | head -c 9')).toMatchObject({
        stdout: '[{"name":',
        stderr: '',
        code: 0,
      })
    })

    test.each([
      ['SIGTERM', 'TERM'],
      ['SIGINT', 'INT'],
    ] as const)('passes %s to the program, and its answer on', async (signal, trapped) => {
      const program = holm.start([
        'exec',
        '--',
        'sh',
        '-c',
        `trap 'echo got ${trapped}; exit 43' ${trapped}; echo ready; while :; do sleep 0.05; done`,
      ])
      await program.said('ready')
      program.kill(signal)
      // The shell may say on stderr that the signal ended its sleep, too.
      expect(await program.ended).toMatchObject({ code: 43, stdout: `ready\ngot ${trapped}\n` })
    })

    test('keeps bytes that are no UTF-8', async () => {
      const bytes = Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc3, 0x28, 0x0d, 0x0a, 0x1b, 0x04])
      writeFileSync(join(holm.folder, 'bytes'), bytes)
      await shell('"$holm" exec -- cat < "$files/bytes" > "$files/back"')
      expect(readFileSync(join(holm.folder, 'back'))).toEqual(bytes)
      const json = await expectCode(holm, ['exec', '--json', '--', 'printf', '\\377\\376'], 0)
      expect(JSON.parse(json.stdout)).toMatchObject({ stdout: '//4=', encoding: 'base64' })
    })

    test('keeps 8 MiB both ways', async () => {
      const bytes = randomBytes(8 * 1024 * 1024)
      writeFileSync(join(holm.folder, 'much'), bytes)
      const ended = await shell('"$holm" exec -- cat < "$files/much" > "$files/back"')
      expect(ended).toMatchObject({ code: 0, stderr: '' })
      const hash = (content: Buffer): string => createHash('sha256').update(content).digest('hex')
      expect(hash(readFileSync(join(holm.folder, 'back')))).toBe(hash(bytes))
    })

    test.each([
      [['sh', '-c', 'exit 41'], 41],
      [['sh', '-c', 'kill -9 $$'], 137],
      [['no-such-program'], 127],
      [['/etc/passwd'], 126],
    ])('ends with the code of %j', async (argv, code) => {
      await expectCode(holm, ['exec', '--', ...argv], code)
    })

    test('needs no terminal: no colours, no moving lines, no question', async () => {
      for (const env of [{ TERM: 'dumb' }, { TERM: undefined }, { NO_COLOR: undefined }]) {
        for (const args of [['list'], ['status'], ['up', '-v'], ['doctor']]) {
          const ended = await holm.run(args, { env })
          expect(ended.stdout + ended.stderr).not.toContain('\u001B')
        }
      }
      const asked = await expectCode(holm, ['destroy'], 2)
      expect(asked.stderr).toContain('error HOLM_CONFIRMATION_REQUIRED: ')
    })

    test.each([
      ['TERM=dumb', { TERM: 'dumb', NO_COLOR: undefined }, false],
      ['NO_COLOR', { TERM: 'xterm-256color', NO_COLOR: '1' }, false],
      ['a terminal', { TERM: 'xterm-256color', NO_COLOR: undefined }, true],
    ] as const)('obeys %s on a terminal', async (_name, env, colours) => {
      const ended = await onTerminal([cli, 'list'], env)
      expect(ended).toContain('running')
      expect(/\u001B\[[0-9;]*m/.test(ended)).toBe(colours)
    })

    async function onTerminal(
      argv: readonly string[],
      env: Readonly<Record<string, string | undefined>>,
    ): Promise<string> {
      const words = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
      const ended = await runProgram(['script', '-qec', words, '/dev/null'], {
        cwd: holm.project,
        env: { ...holm.env, ...env },
      })
      return ended.stdout
    }

    test('works from a folder that is gone, by name', async () => {
      mkdirSync(join(holm.folder, 'gone'))
      const line = 'cd "$files/gone" && rmdir "$files/gone" && '
      const named = await shell(`${line}"$holm" exec one -- echo in && "$holm" list && "$holm" version`)
      expect(named.code).toBe(0)
      expect(named.stdout).toMatch(/^in\nNAME [^]*\nholm /)
      mkdirSync(join(holm.folder, 'gone'))
      const unnamed = await shell(`${line}"$holm" exec -- true; echo "$?"; "$holm" up; echo "$?"`)
      expect(unnamed.stdout).toBe('7\n3\n')
      expect(unnamed.stderr).toContain('error HOLM_ENVIRONMENT_NOT_FOUND: the folder ')
      expect(unnamed.stderr).toContain('error HOLM_BLUEPRINT_NOT_FOUND: the folder ')
      expect(unnamed.stderr).toContain('hint: Change to a folder that exists.')
    })
  })
})
