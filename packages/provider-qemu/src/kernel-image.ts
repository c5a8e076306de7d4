import { HolmError } from '@holm/core'

export type Packing = 'gzip' | 'xz' | 'lz4' | 'zstd' | 'none'

const packings: readonly (readonly [Packing, string])[] = [
  ['gzip', '1f8b'],
  ['xz', 'fd377a585a'],
  ['lz4', '02214c18'],
  ['zstd', '28b52ffd'],
  ['none', '7f454c46'],
]

/** The kernel within a bzImage and how it is packed; undefined for anything else. The offsets are those of the x86 boot protocol. */
export function parseBzImage(
  image: Buffer,
): { readonly packing: Packing; readonly payload: Buffer } | undefined {
  if (image.length < 0x268 || image.toString('latin1', 0x202, 0x206) !== 'HdrS') return undefined
  if (image.readUInt16LE(0x206) < 0x208) return undefined
  const start = ((image[0x1f1] || 4) + 1) * 512 + image.readUInt32LE(0x248)
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c))
  const magic = payload.toString('hex', 0, 5)
  const packing = packings.find(([, begin]) => magic.startsWith(begin))?.[0]
  return packing === undefined ? undefined : { packing, payload }
}

const unpackers: Readonly<Record<Packing, readonly string[] | undefined>> = {
  none: undefined,
  gzip: ['gzip', '-dc'],
  xz: ['xz', '-dc', '--single-stream'],
  lz4: ['lz4', '-dc'],
  zstd: ['zstd', '-dc'],
}

/** Command that unpacks what stands on its input; undefined for what needs none. */
export function unpackArgv(packing: Packing): readonly string[] | undefined {
  return unpackers[packing]
}

/** Whether QEMU can start this ELF kernel without firmware: it has a note of the name "Xen" for that (PVH). */
export function hasPvhEntry(elf: Buffer): boolean {
  if (elf.toString('latin1', 0, 4) !== '\u007fELF') return false
  const [table, size, count] = [
    Number(elf.readBigUInt64LE(0x20)),
    elf.readUInt16LE(0x36),
    elf.readUInt16LE(0x38),
  ]
  for (let index = 0; index < count; index += 1) {
    const at = table + index * size
    if (elf.readUInt32LE(at) !== 4) continue
    const offset = Number(elf.readBigUInt64LE(at + 8))
    if (holdsPvhNote(elf.subarray(offset, offset + Number(elf.readBigUInt64LE(at + 32))))) return true
  }
  return false
}

const pvhNote = 18

function holdsPvhNote(notes: Buffer): boolean {
  let at = 0
  while (at + 12 <= notes.length) {
    const [name, data, type] = [
      notes.readUInt32LE(at),
      notes.readUInt32LE(at + 4),
      notes.readUInt32LE(at + 8),
    ]
    if (type === pvhNote && notes.toString('latin1', at + 12, at + 15) === 'Xen') return true
    at += 12 + Math.ceil(name / 4) * 4 + Math.ceil(data / 4) * 4
  }
  return false
}

/** Names of the modules a module needs first, from its own notes. */
export function parseModuleNeeds(module: Buffer): string[] {
  const text = module.toString('latin1')
  const needs = /(?:^|\0)depends=([^\0]*)\0/.exec(text)?.[1] ?? ''
  const soft = [...text.matchAll(/(?:^|\0)softdep=pre: ([^\0]*)\0/g)].flatMap((match) =>
    (match[1] ?? '').split(' '),
  )
  return [...needs.split(','), ...soft].filter((name) => name !== '').map(moduleName)
}

/** A module has one name with underscores, whatever its file is called. */
export function moduleName(file: string): string {
  return file.replace(/\.ko(?:\.(?:xz|gz|zst))?$/, '').replaceAll('-', '_')
}

/** The modules in the order in which they can be loaded, each after what it needs. Unknown ones are left out: they may be built in. */
export function orderModules(
  wanted: readonly string[],
  needsOf: (name: string) => readonly string[] | undefined,
): string[] {
  const order: string[] = []
  const visit = (name: string, above: readonly string[]): void => {
    if (order.includes(name)) return
    if (above.includes(name))
      throw new HolmError(
        'HOLM_ENVIRONMENT_FAILED',
        `kernel modules need each other: ${[...above, name].join(' -> ')}`,
      )
    const needs = needsOf(name)
    if (needs === undefined) return
    for (const each of needs) visit(each, [...above, name])
    order.push(name)
  }
  for (const name of wanted) visit(name, [])
  return order
}
