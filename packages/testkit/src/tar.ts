/** A file, or a folder when `path` ends in "/". */
export interface TarEntry {
  readonly path: string
  readonly mode: number
  readonly data: Buffer
}

const block = 512

/** A ustar archive. Paths have at most 100 bytes; owners are 0. */
export function createTar(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap(({ path, mode, data }) => [
    header({ path, mode, data }),
    data,
    padding(data.length),
  ])
  return Buffer.concat([...parts, Buffer.alloc(2 * block)])
}

/** Files and folders of a ustar, GNU or pax archive; links and devices are left out. */
export function parseTar(tar: Buffer): TarEntry[] {
  const entries: TarEntry[] = []
  let longName: string | undefined
  for (let at = 0; at + block <= tar.length && tar[at] !== 0;) {
    const head = tar.subarray(at, at + block)
    const size = Number.parseInt(textOf(head, 124, 12), 8) || 0
    const data = tar.subarray(at + block, at + block + size)
    const type = String.fromCharCode(head[156] ?? 0)
    at += block + Math.ceil(size / block) * block
    if (type === 'L') longName = data.toString('utf8').replace(/\0+$/, '')
    else if (type === 'x') longName = /\d+ path=(.*)\n/.exec(data.toString('utf8'))?.[1] ?? longName
    else {
      if (['0', '\0', '5'].includes(type)) entries.push(readEntry(head, data, longName))
      longName = undefined
    }
  }
  return entries
}

function readEntry(head: Buffer, data: Buffer, longName: string | undefined): TarEntry {
  const ustar = textOf(head, 257, 5) === 'ustar' && textOf(head, 257, 8) !== 'ustar  '
  const prefix = ustar ? textOf(head, 345, 155) : ''
  const short = prefix === '' ? textOf(head, 0, 100) : `${prefix}/${textOf(head, 0, 100)}`
  const mode = Number.parseInt(textOf(head, 100, 8), 8) & 0o7777
  return { path: longName ?? short, mode, data: Buffer.from(data) }
}

function header({ path, mode, data }: TarEntry): Buffer {
  const head = Buffer.alloc(block)
  head.write(path, 0, 100, 'utf8')
  head.write(`${octal(mode, 7)}\0`, 100)
  head.write(`${octal(0, 7)}\0${octal(0, 7)}\0`, 108)
  head.write(`${octal(data.length, 11)}\0${octal(0, 11)}\0`, 124)
  head.write(' '.repeat(8), 148)
  head.write(path.endsWith('/') ? '5' : '0', 156)
  head.write('ustar\x0000', 257)
  const sum = head.reduce((total, byte) => total + byte, 0)
  head.write(`${octal(sum, 6)}\0 `, 148)
  return head
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}

function padding(size: number): Buffer {
  return Buffer.alloc((block - (size % block)) % block)
}

function textOf(head: Buffer, from: number, length: number): string {
  const field = head.subarray(from, from + length)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end === -1 ? length : end).trimEnd()
}
