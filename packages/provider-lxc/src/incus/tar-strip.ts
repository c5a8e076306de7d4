import { HolmError } from '@holm/core'
import { sealHeader } from './ustar.ts'

const block = 512

/** A range of numeric ids of one kind: what is `inside` there was written as `outside`. */
export interface Shift {
  readonly kind: 'uid' | 'gid'
  readonly inside: number
  readonly outside: number
  readonly count: number
}

export interface RewriteOptions {
  /** Folder in the archive of which the content is wanted. */
  readonly prefix: string
  readonly shifts: readonly Shift[]
  /** By path below the folder. */
  readonly keep: (path: string) => boolean
}

/** The daemon's list of how the ids on its disk differ from those inside. */
export function parseShifts(text: string): Shift[] {
  const entries = JSON.parse(text) as readonly {
    readonly Isuid: boolean
    readonly Isgid: boolean
    readonly Hostid: number
    readonly Nsid: number
    readonly Maprange: number
  }[]
  return entries.flatMap(({ Isuid, Isgid, Hostid: outside, Nsid: inside, Maprange: count }) => [
    ...(Isuid ? [{ kind: 'uid' as const, inside, outside, count }] : []),
    ...(Isgid ? [{ kind: 'gid' as const, inside, outside, count }] : []),
  ])
}

/** What entries say before the entry they speak of. */
interface Extras {
  readonly records: Map<string, Buffer>
}

/** A tar of one folder of a tar: names and hard links without the folder, ids as they are inside. Contents pass as they are. */
export async function* rewriteTar(
  source: AsyncIterable<Uint8Array>,
  options: RewriteOptions,
): AsyncIterable<Uint8Array> {
  const reader = createReader(source)
  let extras: Extras = { records: new Map() }
  for (;;) {
    const head = await reader.read(block)
    if (head.length < block || head.every((byte) => byte === 0)) break
    const type = String.fromCharCode(head[156] ?? 0)
    const size = Number(extras.records.get('size')?.toString() ?? readNumber(head, 124, 12))
    const padded = Math.ceil(size / block) * block
    if ('xgLK'.includes(type)) {
      const data = (await reader.read(padded)).subarray(0, size)
      if (type !== 'g') collect(extras, type, data)
      continue
    }
    const rewritten = rewriteEntry(head, extras, options)
    extras = { records: new Map() }
    if (rewritten) yield rewritten
    for await (const piece of contentOf(reader, padded)) if (rewritten) yield piece
  }
  yield Buffer.alloc(2 * block)
}

async function* contentOf(reader: Reader, size: number): AsyncIterable<Buffer> {
  for (let left = size; left > 0;) {
    const piece = await reader.some(left)
    if (piece.length === 0)
      throw new HolmError('HOLM_ENVIRONMENT_FAILED', 'the backup of the daemon ends in the middle of a file')
    left -= piece.length
    yield piece
  }
}

function collect({ records }: Extras, type: string, data: Buffer): void {
  if (type === 'L') records.set('path', trimZeros(data))
  else if (type === 'K') records.set('linkpath', trimZeros(data))
  else for (const [name, value] of parsePax(data)) records.set(name, value)
}

function* parsePax(data: Buffer): Iterable<[string, Buffer]> {
  for (let at = 0; at < data.length;) {
    const space = data.indexOf(32, at)
    const length = Number(data.toString('latin1', at, space))
    if (space < 0 || !(length > 0)) return
    const record = data.subarray(space + 1, at + length - 1)
    const equals = record.indexOf(61)
    yield [record.toString('utf8', 0, equals), record.subarray(equals + 1)]
    at += length
  }
}

/** Undefined: the entry is left out. */
function rewriteEntry(
  head: Buffer,
  { records }: Extras,
  { prefix, shifts, keep }: RewriteOptions,
): Buffer | undefined {
  const path = strip(records.get('path')?.toString() ?? nameOf(head), prefix)
  if (path === undefined || !keep(path.replace(/\/$/, ''))) return undefined
  const next = Buffer.from(head)
  const pax = new Map(records)
  for (const name of ['path', 'linkpath', 'uid', 'gid']) pax.delete(name)
  put(next, { at: 0, length: 100, name: 'path', value: path === '' ? './' : path }, pax)
  put(next, { at: 157, length: 100, name: 'linkpath', value: linkOf(head, records, prefix) }, pax)
  next.fill(0, 345, 500)
  for (const [kind, at] of [
    ['uid', 108],
    ['gid', 116],
  ] as const)
    writeId(next, at, unshift(kind, Number(records.get(kind)?.toString() ?? readNumber(head, at, 8)), shifts))
  sealHeader(next)
  return pax.size === 0 ? next : Buffer.concat([paxEntry(pax), next])
}

/** A hard link names another entry of the archive, a symbolic one anything. */
function linkOf(head: Buffer, records: Extras['records'], prefix: string): string {
  const link = records.get('linkpath')?.toString() ?? text(head, 157, 100)
  return head[156] === 49 ? (strip(link, prefix) ?? link) : link
}

function strip(path: string, prefix: string): string | undefined {
  const plain = path.replace(/^(?:\.?\/)+/, '')
  if (plain === prefix || plain === `${prefix}/`) return ''
  return plain.startsWith(`${prefix}/`) ? plain.slice(prefix.length + 1) : undefined
}

interface Field {
  readonly at: number
  readonly length: number
  readonly name: 'path' | 'linkpath'
  readonly value: string
}

/** Into the header where it fits there, else into a record in front of it. */
function put(head: Buffer, { at, length, name, value }: Field, pax: Map<string, Buffer>): void {
  const bytes = Buffer.from(value, 'utf8')
  head.fill(0, at, at + length)
  bytes.copy(head, at, 0, length)
  if (bytes.length > length || /[^\x20-\x7e]/.test(value)) pax.set(name, bytes)
}

function paxEntry(records: ReadonlyMap<string, Buffer>): Buffer {
  const data = Buffer.concat([...records].map(([name, value]) => paxRecord(name, value)))
  const head = Buffer.alloc(block)
  head.write('pax', 0)
  head.write('0000644\0', 100)
  writeId(head, 108, 0)
  writeId(head, 116, 0)
  head.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124)
  head.write('00000000000\0', 136)
  head.write('x', 156)
  head.write('ustar\x0000', 257)
  sealHeader(head)
  return Buffer.concat([head, data, Buffer.alloc((block - (data.length % block)) % block)])
}

/** Its length counts its own digits. */
function paxRecord(name: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${name}=`), value, Buffer.from('\n')])
  let length = rest.length + String(rest.length).length
  if (String(length).length !== String(rest.length).length) length = rest.length + String(length).length
  return Buffer.concat([Buffer.from(String(length)), rest])
}

function unshift(kind: Shift['kind'], id: number, shifts: readonly Shift[]): number {
  const found = shifts.find(
    (each) => each.kind === kind && id >= each.outside && id < each.outside + each.count,
  )
  return found === undefined ? id : id - found.outside + found.inside
}

/** Seven octal digits, or the sign of a binary number. */
function writeId(head: Buffer, at: number, id: number): void {
  if (id < 8 ** 7) {
    head.write(`${id.toString(8).padStart(7, '0')}\0`, at)
    return
  }
  head.fill(0, at, at + 8)
  head[at] = 0x80
  head.writeUIntBE(id, at + 2, 6)
}

function readNumber(head: Buffer, at: number, length: number): number {
  if (((head[at] ?? 0) & 0x80) !== 0) return head.readUIntBE(at + length - 6, 6)
  return Number.parseInt(text(head, at, length).trim() || '0', 8)
}

function nameOf(head: Buffer): string {
  const prefix = text(head, 257, 5) === 'ustar' && head[262] === 0 ? text(head, 345, 155) : ''
  const name = text(head, 0, 100)
  return prefix === '' ? name : `${prefix}/${name}`
}

function text(head: Buffer, at: number, length: number): string {
  return trimZeros(head.subarray(at, at + length)).toString('utf8')
}

function trimZeros(data: Buffer): Buffer {
  const end = data.indexOf(0)
  return end < 0 ? data : data.subarray(0, end)
}

interface Reader {
  /** So many bytes; fewer only at the end. */
  read(count: number): Promise<Buffer>
  /** At least one byte and at most so many; none at the end. */
  some(count: number): Promise<Buffer>
}

function createReader(source: AsyncIterable<Uint8Array>): Reader {
  const iterator = source[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  const some = async (count: number): Promise<Buffer> => {
    while (rest.length === 0) {
      const { value, done } = await iterator.next()
      if (done === true) return rest
      rest = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    }
    const piece = rest.subarray(0, count)
    rest = rest.subarray(piece.length)
    return piece
  }
  return {
    some,
    read: async (count) => {
      const pieces: Buffer[] = []
      for (let left = count; left > 0;) {
        const piece = await some(left)
        if (piece.length === 0) break
        pieces.push(piece)
        left -= piece.length
      }
      return Buffer.concat(pieces)
    },
  }
}
