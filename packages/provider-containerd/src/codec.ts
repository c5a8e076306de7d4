/** Protocol buffers as far as containerd's API uses them, from a table made of its .proto files. */

/** Number, name, type (a scalar, or the name of a message or enum), and how often it occurs. Maps have strings as keys. */
export type FieldTable = readonly [number, string, string, 'one' | 'many' | 'map']

export interface ApiTable {
  /** `Service.Method` to its path, the message it takes and the one it gives. */
  readonly methods: Readonly<Record<string, readonly [string, string, string]>>
  readonly messages: Readonly<Record<string, readonly FieldTable[]>>
  /** Names in the order of their numbers. */
  readonly enums: Readonly<Record<string, readonly string[]>>
}

type Message = Readonly<Record<string, unknown>>

export interface Codec {
  encode(type: string, message: unknown): Buffer
  /** Every field is there: an absent one as what protocol buffers say it means, an absent message as null. */
  decode(type: string, bytes: Uint8Array): unknown
}

const varint = 0
const delimited = 2

export function createCodec(table: ApiTable): Codec {
  return {
    encode: (type, message) => encode(table, type, message as Message),
    decode: (type, bytes) => decode(table, type, bytes),
  }
}

function fieldsOf(table: ApiTable, type: string): readonly FieldTable[] {
  const fields = table.messages[type]
  if (!fields) throw new TypeError(`containerd's API has no ${type}`)
  return fields
}

function encode(table: ApiTable, type: string, message: Message): Buffer {
  const parts: Uint8Array[] = []
  for (const field of fieldsOf(table, type)) {
    const value = message[field[1]]
    if (value === undefined || value === null) continue
    for (const item of itemsOf(table, field, value)) parts.push(...fieldBytes(table, field, item))
  }
  return Buffer.concat(parts)
}

function itemsOf(table: ApiTable, [, , type, rule]: FieldTable, value: unknown): readonly unknown[] {
  if (rule === 'many') return value as readonly unknown[]
  if (rule === 'map') return Object.entries(value as Message)
  // A scalar that is what an absent one means is left out.
  return value === '' || value === 0 || value === false || value === table.enums[type]?.[0] ? [] : [value]
}

function fieldBytes(
  table: ApiTable,
  [id, name, type, rule]: FieldTable,
  item: unknown,
): readonly Uint8Array[] {
  if (rule === 'map') {
    const [key, value] = item as readonly [string, unknown]
    const entry = [
      ...fieldBytes(table, [1, 'key', 'string', 'one'], key),
      ...fieldBytes(table, [2, 'value', type, 'one'], value),
    ]
    return withLength(id, Buffer.concat(entry))
  }
  if (type === 'string') return withLength(id, Buffer.from(item as string))
  if (type === 'bytes') return withLength(id, item as Uint8Array)
  const names = table.enums[type]
  if (!names && !isScalar(type)) return withLength(id, encode(table, type, item as Message))
  const number = names ? names.indexOf(item as string) : Number(item)
  if (number < 0) throw new TypeError(`${name} cannot be ${String(item)}`)
  return [varintBytes((id << 3) | varint), varintBytes(number)]
}

function decode(table: ApiTable, type: string, bytes: Uint8Array): Message {
  const fields = fieldsOf(table, type)
  const empty = fields.map(([, name, of, rule]) => [name, emptyField(table, of, rule)] as const)
  const message: Record<string, unknown> = Object.fromEntries(empty)
  const reader = createReader(bytes)
  while (!reader.done()) {
    const tag = reader.varint()
    const field = fields.find(([id]) => id === tag >>> 3)
    if (field) readField(message, { table, field, reader })
    else reader.skip(tag & 7)
  }
  return message
}

function emptyField(table: ApiTable, type: string, rule: FieldTable[3]): unknown {
  if (rule === 'many') return []
  if (rule === 'map') return {}
  if (type === 'string') return ''
  if (type === 'bytes') return Buffer.alloc(0)
  if (type === 'bool') return false
  if (table.enums[type]) return table.enums[type][0]
  return isScalar(type) ? 0 : null
}

interface Reading {
  readonly table: ApiTable
  readonly field: FieldTable
  readonly reader: Reader
}

function readField(message: Record<string, unknown>, { table, field, reader }: Reading): void {
  const [, name, type, rule] = field
  if (rule === 'one') message[name] = readValue(table, type, reader)
  else if (rule === 'many') (message[name] as unknown[]).push(readValue(table, type, reader))
  else {
    const [key, value] = readEntry(table, type, createReader(reader.bytes()))
    Object.assign(message[name] as object, { [key]: value })
  }
}

function readEntry(table: ApiTable, type: string, reader: Reader): readonly [string, unknown] {
  let key = ''
  let value = emptyField(table, type, 'one')
  while (!reader.done()) {
    if (reader.varint() >>> 3 === 1) key = text(reader.bytes())
    else value = readValue(table, type, reader)
  }
  return [key, value]
}

function readValue(table: ApiTable, type: string, reader: Reader): unknown {
  if (type === 'string') return text(reader.bytes())
  if (type === 'bytes') return reader.bytes()
  if (type === 'bool') return reader.varint() !== 0
  const names = table.enums[type]
  // A newer containerd may know more words: what they mean is not known.
  if (names) return names[reader.varint()] ?? names[0]
  return isScalar(type) ? reader.varint() : decode(table, type, reader.bytes())
}

function isScalar(type: string): boolean {
  return ['int32', 'int64', 'uint32', 'uint64', 'bool'].includes(type)
}

function withLength(id: number, bytes: Uint8Array): readonly Uint8Array[] {
  return [varintBytes((id << 3) | delimited), varintBytes(bytes.length), bytes]
}

/** Seven bits a byte, the lowest first. Numbers here are whole and not negative. */
function varintBytes(value: number): Uint8Array {
  const bytes: number[] = []
  let left = value
  while (left > 127) {
    bytes.push((left % 128) | 128)
    left = Math.floor(left / 128)
  }
  return Uint8Array.from([...bytes, left])
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
}

interface Reader {
  done(): boolean
  /** Signed: a time before 1970 is negative. */
  varint(): number
  bytes(): Uint8Array
  skip(wire: number): void
}

function createReader(source: Uint8Array): Reader {
  let at = 0
  const take = (count: number): Uint8Array => {
    if (at + count > source.length) throw new TypeError('a message of containerd is cut off')
    at += count
    return source.subarray(at - count, at)
  }
  const readVarint = (): number => {
    const start = at
    while ((take(1)[0] ?? 0) > 127) continue
    const bytes = source.subarray(start, at)
    if (bytes.length < 8) return bytes.reduceRight((sum, byte) => sum * 128 + (byte & 127), 0)
    const big = bytes.reduceRight((sum, byte) => (sum << 7n) | BigInt(byte & 127), 0n)
    return Number(BigInt.asIntN(64, big))
  }
  return {
    done: () => at >= source.length,
    varint: readVarint,
    bytes: () => take(readVarint()),
    skip(wire) {
      if (wire === 0) readVarint()
      else take(wire === 2 ? readVarint() : wire === 5 ? 4 : 8)
    },
  }
}
