import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { archiveEnd, padding, partHeader } from './archive.ts'
import { safeTar } from './safe-tar.ts'
import { sumOf } from '../tar/header.ts'

async function* inPieces(bytes: Buffer, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function passOn(bytes: Buffer, size = 700): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of safeTar('rootfs.tar', inPieces(bytes, size))) pieces.push(piece)
  return Buffer.concat(pieces)
}

function entry(
  path: string,
  type = '0',
  { target = '', text = '' }: { readonly target?: string; readonly text?: string } = {},
): Buffer {
  const head = partHeader(path, text.length)
  head.write(type, 156)
  head.write(target, 157, 100)
  head.write(`${sumOf(head).toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([head, Buffer.from(text), padding(text.length)])
}

const tarOf = (...entries: readonly Buffer[]): Buffer => Buffer.concat([...entries, archiveEnd])

/** An extended header with these records. */
function words(records: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const bare = ` ${key}=${value}\n`
    const guess = Buffer.byteLength(bare) + 2
    return `${guess < 100 ? guess : guess + 1}${bare}`
  })
  return entry('PaxHeader', 'x', { text: lines.join('') })
}

describe('what tar writes passes, byte for byte', () => {
  const formats = [['gnu'], ['gnu', '--sparse'], ['posix'], ['posix', '--sparse']] as const
  for (const [format, ...flags] of formats) {
    it(`${format} ${flags.join(' ')}`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'holm-safe-tar-'))
      onTestFinished(() => rmSync(folder, { recursive: true }))
      const deep = join(folder, 'a'.repeat(90), 'b'.repeat(90))
      mkdirSync(deep, { recursive: true })
      const file = join(deep, `name with spaces, ümläuts and "quotes"\n${'c'.repeat(60)}`)
      writeFileSync(file, 'text'.repeat(1000))
      linkSync(file, join(folder, 'hard link'))
      symlinkSync(`/${'d'.repeat(200)}`, join(folder, 'symlink'))
      symlinkSync('../../../outside', join(folder, 'elsewhere'))
      // Enough pieces for the map of the old form to need blocks of its own.
      for (let at = 0; at < 60; at++) writeFileSync(join(folder, 'sparse'), 'x', { flag: 'a' })
      truncateSync(join(folder, 'sparse'), 1 << 20)
      for (let at = 1; at < 40; at++)
        execFileSync('dd', [
          'if=/dev/zero',
          `of=${join(folder, 'sparse')}`,
          'bs=1',
          'count=1',
          'conv=notrunc',
          `seek=${at << 16}`,
          'status=none',
        ])
      const bytes = execFileSync('tar', ['--create', `--format=${format}`, ...flags, '-C', folder, '.'], {
        maxBuffer: 1 << 26,
      })
      expect((await passOn(bytes)).equals(bytes)).toBe(true)
    })
  }
})

describe('what could do harm is refused', () => {
  const cases: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
    'an absolute path': [tarOf(entry('/etc/passwd')), /\/etc\/passwd is absolute/],
    'a path that leads out': [tarOf(entry('a/../../b')), /leads out/],
    'the same in an extended header': [tarOf(words({ path: 'a/../../b' }), entry('harmless')), /leads out/],
    'the same in a long name of GNU tar': [
      tarOf(entry('L', 'L', { text: '/etc/passwd\0' }), entry('harmless')),
      /\/etc\/passwd is absolute/,
    ],
    'two names': [
      tarOf(words({ path: 'a' }), entry('L', 'L', { text: 'b\0' }), entry('harmless')),
      /two of path/,
    ],
    'a disk': [tarOf(entry('dev/sda', '4')), /dev\/sda is a device/],
    'a character device': [tarOf(entry('./x', '3')), /\.\/x is a device/],
    'what nobody knows': [tarOf(entry('x', 'Q')), /unknown kind/],
    'a file behind a link': [
      tarOf(entry('a', '2', { target: '/etc' }), entry('./a/passwd')),
      /lies behind a link/,
    ],
    'a folder in place of a link': [tarOf(entry('a', '2', { target: '/etc' }), entry('a/', '5')), /twice/],
    'a hard link out of it': [tarOf(entry('x', '1', { target: '/etc/shadow' })), /absolute/],
    'a hard link behind a link': [
      tarOf(entry('a', '2', { target: '/etc' }), entry('x', '1', { target: 'a/shadow' })),
      /behind a link/,
    ],
    'a hard link to what is not there': [
      tarOf(entry('x', '1', { target: 'etc/shadow' })),
      /which is not in it/,
    ],
    'a changed header': [Buffer.from(tarOf(entry('x')).fill('y', 0, 1)), /header in it is wrong/],
    'the end cut off': [entry('x', '0', { text: 'text' }), /ends before its end mark/],
    'content cut off': [entry('x', '0', { text: 'x'.repeat(600) }).subarray(0, 700), /cut off/],
    'a size that is none': [tarOf(words({ size: 'many' }), entry('x')), /no size/],
    'a name for all': [
      tarOf(entry('G', 'g', { text: '12 path=a/b\n' }), entry('x')),
      /names all its entries/,
    ],
    'an extended header that is none': [
      tarOf(entry('P', 'x', { text: '99 path=x\n' }), entry('x')),
      /extended header/,
    ],
  }
  for (const [name, [bytes, message]] of Object.entries(cases)) {
    it(name, async () => {
      for (const size of [1 << 20, 100]) {
        const failure = await passOn(bytes, size).catch((error: unknown) => error)
        expect(failure).toMatchObject({
          code: 'HOLM_BASE_INVALID',
          message: expect.stringMatching(message) as string,
        })
      }
    })
  }
})
