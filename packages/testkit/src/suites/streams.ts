import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { collect, tap } from '../collect.ts'
import { assertBytes } from '../kit/expect.ts'
import type { Suite } from '../kit/kit.ts'
import { waitFor, within } from '../kit/wait-for.ts'

const mebibyte = 1024 * 1024
const everyByte = Buffer.from(Array.from({ length: 1024 }, (_, index) => index % 256))

export const streamsSuite: Suite = {
  name: 'streams',
  checks: {
    'stdin and stdout carry every byte value': async (kit) => {
      const { stdout, stderr, code } = await kit.run(await kit.shared(), ['cat'], everyByte)
      assertBytes(stdout, everyByte, 'stdout')
      assert.equal(stderr.length, 0)
      assert.equal(code, 0)
    },
    'nothing is added to the output or taken from its end': async (kit) => {
      const name = await kit.shared()
      for (const text of ['', 'no newline', 'newline\n', '\n\n\n', '\r\n', '\0']) {
        assert.equal((await kit.run(name, ['cat'], text)).text, text, JSON.stringify(text))
      }
    },
    'the end of stdin is seen while stdout stays open': async (kit) => {
      const script = 'n=$(wc -c); echo "got" $n; sleep 0; echo after'
      const { text, code } = await kit.run(await kit.shared(), ['sh', '-c', script], 'x'.repeat(1000))
      assert.equal(text, 'got 1000\nafter\n')
      assert.equal(code, 0)
    },
    'without stdin the input is empty': async (kit) => {
      const process = await kit.exec(await kit.shared(), { argv: ['cat'], stdin: 'ignore' })
      assert.equal(process.stdin, null)
      const { text, code } = await within(collect(process), { what: 'cat without input to end' })
      assert.deepEqual({ text, code }, { text: '', code: 0 })
    },
    'output arrives while the program runs': async (kit) => {
      const argv = ['sh', '-c', 'echo first; read line; echo "second $line"']
      const process = await kit.exec(await kit.shared(), { argv, stdin: 'pipe' })
      const out = tap(process.stdout)
      process.stderr.resume()
      await waitFor(() => out.text() === 'first\n', { what: 'the first line before any input' })
      process.stdin?.write('go\n')
      await process.exited
      await within(out.ended, { what: 'the end of the output' })
      assert.equal(out.text(), 'first\nsecond go\n')
    },
    '8 MiB of random bytes go in and come out': async (kit) => {
      const name = await kit.start()
      const sent = randomBytes(8 * mebibyte)
      const stored = await kit.run(name, ['sh', '-c', 'cat > blob; wc -c < blob'], sent)
      assert.equal(stored.text.trim(), String(sent.length), 'bytes that arrived inside')
      const { stdout, code } = await kit.run(name, ['cat', 'blob'])
      assert.equal(code, 0)
      assert.equal(digest(stdout), digest(sent), 'SHA-256')
    },
    '8 MiB flow both ways at once': async (kit) => {
      const sent = randomBytes(8 * mebibyte)
      const { stdout, code } = await kit.run(await kit.shared(), ['cat'], sent)
      assert.equal(code, 0)
      assert.equal(digest(stdout), digest(sent), 'SHA-256')
    },
    'the last bytes before an exit are not lost': async (kit) => {
      const name = await kit.shared()
      for (let round = 0; round < kit.repeat * 3; round += 1) {
        const { text, code } = await kit.run(name, [
          'sh',
          '-c',
          'head -c 300000 /dev/zero | tr "\\0" x; printf end; exit 3',
        ])
        assert.equal(code, 3)
        assert.equal(text.length, 300_003, 'bytes of output')
        assert.ok(text.endsWith('end'))
      }
    },
    'stdout and stderr are kept apart': async (kit) => {
      const script = 'i=0; while [ $i -lt 200 ]; do echo "o$i"; echo "e$i" >&2; i=$((i+1)); done'
      const { text, errorText } = await kit.run(await kit.shared(), ['sh', '-c', script])
      const lines = (letter: string): string =>
        Array.from({ length: 200 }, (_, index) => `${letter}${index}\n`).join('')
      assert.equal(text, lines('o'), 'stdout')
      assert.equal(errorText, lines('e'), 'stderr')
    },
    'stderr carries every byte value': async (kit) => {
      const { stdout, stderr } = await kit.run(await kit.shared(), ['sh', '-c', 'cat >&2'], everyByte)
      assert.equal(stdout.length, 0)
      assertBytes(stderr, everyByte, 'stderr')
    },
    'a reader that comes late gets everything': async (kit) => {
      const name = await kit.start()
      const script = 'echo $$ > pid; printf early; printf "also early" >&2'
      const process = await kit.exec(name, ['sh', '-c', script])
      const read = ['sh', '-c', 'cat pid 2>/dev/null || true']
      const pid = await waitFor(async () => (await kit.output(name, read)).trim() || undefined, {
        what: 'the pid file',
      })
      await kit.waitForDeath(name, pid)
      const { text, errorText } = await collect(process)
      assert.deepEqual({ text, errorText }, { text: 'early', errorText: 'also early' })
    },
    'a program may end before it read its input': async (kit) => {
      const process = await kit.exec(await kit.shared(), { argv: ['sh', '-c', 'exit 5'], stdin: 'pipe' })
      const { code } = await within(collect(process, randomBytes(mebibyte)), {
        what: 'exit with unread input',
      })
      assert.equal(code, 5)
    },
  },
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
