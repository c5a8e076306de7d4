/** One entry of an archive that the kernel unpacks before it starts /init. */
export interface CpioEntry {
  /** Without a leading slash. */
  readonly path: string
  /** Permissions and kind, as in stat(2). */
  readonly mode: number
  readonly data?: Uint8Array
  /** Device numbers of a character device. */
  readonly device?: readonly [major: number, minor: number]
}

export const cpioKinds = { folder: 0o040000, file: 0o100000, link: 0o120000, character: 0o020000 } as const

/** The format "newc". Everything belongs to root and has no time: the same entries give the same bytes. */
export function createCpio(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, index) => encode(entry, index + 1))
  const all = Buffer.concat([...parts, ...encode({ path: 'TRAILER!!!', mode: 0 }, 0)])
  // Another archive may follow: it has to begin at a multiple of four.
  return pad(all, 512)
}

function encode(
  { path, mode, data = new Uint8Array(), device = [0, 0] }: CpioEntry,
  inode: number,
): Buffer[] {
  const name = Buffer.from(`${path}\0`)
  const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, ...device, name.length, 0]
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`
  return [pad(Buffer.concat([Buffer.from(header), name]), 4), pad(Buffer.from(data), 4)]
}

function pad(bytes: Buffer, unit: number): Buffer {
  const rest = bytes.length % unit
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(unit - rest)])
}

/** Every folder above a path, outermost first. */
export function foldersAbove(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_part, index) => parts.slice(0, index + 1).join('/'))
}
