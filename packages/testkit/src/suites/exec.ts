import assert from 'node:assert/strict'
import { assertBytes, assertRejects } from '../kit/expect.ts'
import type { Suite } from '../kit/kit.ts'
import { startBackground } from './lifecycle.ts'

const awkwardWords = [
  'plain',
  'two words',
  ' leading and trailing ',
  'tab\there',
  'line\nbreak\n',
  "single'quote",
  'double"quote',
  'back\\slash\\\\',
  '$HOME `id` $(id) ${PATH}',
  '*?[a-z]{a,b}~',
  ';&|<>()!#%^',
  '',
  '-n',
  '--',
  '--help',
  'ünïcode ✓ 漢字 🙂',
  'é (e + combining)',
  'x'.repeat(20_000),
]

const awkwardValues: Readonly<Record<string, string>> = {
  HOLM_T_EQUALS: 'a=b==c=',
  HOLM_T_LINES: 'one\ntwo\n\nfour\n',
  HOLM_T_EMPTY: '',
  HOLM_T_SPACES: '  two  spaces  ',
  HOLM_T_QUOTES: `'single' "double" \\back`,
  HOLM_T_DOLLAR: '$HOME $(id) `id`',
  HOLM_T_UNICODE: 'ünïcode ✓ 🙂',
  holm_t_lower: 'lower',
  _HOLM_T1: 'underscore',
}

export const execSuite: Suite = {
  name: 'exec',
  checks: {
    'words of argv arrive exactly': async (kit) => {
      const { stdout } = await kit.run(await kit.shared(), ['printf', '%s\\0', ...awkwardWords])
      assert.deepEqual(stdout.toString('utf8').split('\0'), [...awkwardWords, ''])
    },
    'each word alone arrives exactly': async (kit) => {
      const name = await kit.shared()
      for (const word of awkwardWords) {
        const { text } = await kit.run(name, ['sh', '-c', 'printf "%s" "$1"', 'sh', word])
        assert.equal(text, word, JSON.stringify(word.slice(0, 40)))
      }
    },
    'many words arrive': async (kit) => {
      const words = Array.from({ length: 500 }, (_, index) => `w ${index}`)
      const { text } = await kit.run(await kit.shared(), ['printf', '%s\n', ...words])
      assertBytes(Buffer.from(text), Buffer.from(words.map((word) => `${word}\n`).join('')), 'words')
    },
    'exit codes arrive unchanged': async (kit) => {
      const name = await kit.shared()
      for (const code of [0, 1, 2, 42, 100, 125, 126, 127, 128, 200, 255]) {
        const result = await kit.run(name, ['sh', '-c', `exit ${code}`])
        assert.equal(result.code, code)
      }
    },
    'a program killed by a signal exits with 128 + n': async (kit) => {
      const name = await kit.shared()
      for (const [signal, number] of Object.entries({ HUP: 1, INT: 2, KILL: 9, TERM: 15 })) {
        const { code } = await kit.run(name, ['sh', '-c', `kill -${signal} $$`])
        assert.equal(code, 128 + number, signal)
      }
    },
    'a missing program exits with 127': async (kit) => {
      const name = await kit.shared()
      assert.equal((await kit.run(name, ['holm-no-such-program'])).code, 127)
      assert.equal((await kit.run(name, ['/nonexistent/holm-program'])).code, 127)
    },
    'a program that may not be executed exits with 126': async (kit) => {
      const name = await kit.shared()
      await kit.output(name, ['sh', '-c', 'echo "#!/bin/sh" > no-exec; chmod 644 no-exec'])
      assert.equal((await kit.run(name, ['./no-exec'])).code, 126)
    },
    'values of env arrive exactly': async (kit) => {
      const name = await kit.shared()
      for (const [key, value] of Object.entries(awkwardValues)) {
        const argv = ['sh', '-c', `printf '%s' "\${${key}-unset}"`]
        const { text } = await kit.run(name, { argv, env: awkwardValues })
        assert.equal(text, value, key)
      }
    },
    'env of the spec is seen, and env of the call wins': async (kit) => {
      const name = await kit.start({ env: { HOLM_T_A: 'from spec', HOLM_T_B: 'line\n= "b"' } })
      const argv = ['sh', '-c', 'printf "%s|%s" "$HOLM_T_A" "$HOLM_T_B"']
      assert.equal(await kit.output(name, argv), 'from spec|line\n= "b"')
      assert.equal(await kit.output(name, { argv, env: { HOLM_T_A: 'from call' } }), 'from call|line\n= "b"')
      assert.equal(await kit.output(name, argv), 'from spec|line\n= "b"', 'env of a call is for that call')
    },
    'env of this process does not leak inside': async (kit) => {
      const seen = await kit.output(await kit.shared(), ['env'])
      assert.ok(!seen.includes(kit.canary), `${kit.canary} is visible inside`)
    },
    'PATH is set': async (kit) => {
      const path = await kit.output(await kit.shared(), ['sh', '-c', 'printf "%s" "$PATH"'])
      assert.ok(path.includes('/'), `PATH is ${JSON.stringify(path)}`)
    },
    'cwd is kept, with awkward characters': async (kit) => {
      const name = await kit.shared()
      const inner = `a "folder" with 'quotes' & ünïcode`
      await kit.output(name, ['mkdir', '-p', inner])
      const cwd = `${kit.folder}/${inner}`.replace(/\/+/g, '/')
      const pwd = (await kit.output(name, { argv: ['pwd'], cwd })).replace(/\n$/, '')
      // Without isolation the folder is somewhere else on this machine.
      if (kit.provider.traits.isolation === 'none') assert.ok(pwd.endsWith(cwd), pwd)
      else assert.equal(pwd, cwd)
    },
    'a numeric user is applied': async (kit) => {
      const { text } = await kit.run(await kit.shared(), { argv: ['id', '-u'], cwd: '/', user: '65534' })
      assert.equal(text.trim(), '65534')
    },
    'many programs run at once without mixing': async (kit) => {
      const name = await kit.shared()
      const words = Array.from({ length: kit.parallel * 2 }, (_, index) => `${index}:`.repeat(5000))
      const said = await Promise.all(
        words.map(async (word, index) => {
          const { code, text } = await kit.run(
            name,
            ['sh', '-c', 'cat; exit "$1"', 'sh', String(index)],
            word,
          )
          return { code, text }
        }),
      )
      assert.deepEqual(
        said,
        words.map((text, code) => ({ code, text })),
      )
    },
    'a stopped environment is refused': async (kit) => {
      const name = await kit.create()
      await assertRejects(kit.exec(name, ['true']), ['HOLM_ENVIRONMENT_NOT_RUNNING'], 'exec before start')
      await kit.provider.start(name, kit.context())
      await kit.provider.stop(name, { graceMs: 2000 }, kit.context())
      await assertRejects(kit.exec(name, ['true']), ['HOLM_ENVIRONMENT_NOT_RUNNING'], 'exec after stop')
    },
    'a background process is seen by the next program': async (kit) => {
      const name = await kit.start()
      const pid = await startBackground(kit, name)
      assert.match(pid, /^\d+$/)
      assert.ok(await kit.lives(name, pid), 'the background process lives')
      await kit.output(name, ['kill', pid])
      await kit.waitForDeath(name, pid)
    },
    'files of one program are seen by the next': async (kit) => {
      const name = await kit.shared()
      await kit.output(name, ['sh', '-c', 'printf shared > shared.txt'])
      assert.equal(await kit.output(name, ['cat', 'shared.txt']), 'shared')
    },
  },
}
