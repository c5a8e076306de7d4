import { open } from 'node:fs/promises'
import { HolmError } from '../../errors.ts'

export type DiskFormat = 'qcow2' | 'raw'

const headerBytes = 512

/** What begins like this is no disk that a machine could start from as it is. */
const others: readonly (readonly [string, string])[] = [
  ['4b444d56', 'a VMDK image'],
  ['7668647866696c65', 'a VHDX image'],
  ['636f6e6563746978', 'a VHD image'],
  ['1f8b', 'packed with gzip'],
  ['fd377a585a00', 'packed with xz'],
  ['28b52ffd', 'packed with zstd'],
]

/**
 * The format of a machine's disk, from its first bytes: a qcow2 file says that it is one, anything else is the disk itself.
 * HOLM_BASE_INVALID for a qcow2 file that has parts in other files of this machine: whoever made the disk would choose which.
 */
export async function assertDisk(path: string): Promise<DiskFormat> {
  const header = await readHeader(path)
  if (header.toString('latin1', 0, 4) === 'QFI\u00fb') {
    if (isAlone(header)) return 'qcow2'
    throw invalid(
      path,
      'it is made of several files',
      'Make one of them: qemu-img convert -O qcow2 <old> <new>.',
    )
  }
  const begin = header.toString('hex', 0, 8)
  const other = others.find(([magic]) => begin.startsWith(magic))
  if (other === undefined) return 'raw'
  throw invalid(path, `it is ${other[1]}`, 'Unpack it, or convert it: qemu-img convert -O qcow2 <old> <new>.')
}

/** No backing file and no data file besides it. The offsets are those of the format's header. */
function isAlone(header: Buffer): boolean {
  const version = header.readUInt32BE(4)
  const hasBacking = header.readBigUInt64BE(8) !== 0n
  const hasDataFile = version >= 3 && (header.readBigUInt64BE(72) & 4n) !== 0n
  return !hasBacking && !hasDataFile
}

async function readHeader(path: string): Promise<Buffer> {
  const file = await open(path)
  try {
    const { buffer } = await file.read({ buffer: Buffer.alloc(headerBytes), position: 0 })
    return buffer
  } finally {
    await file.close()
  }
}

function invalid(path: string, why: string, hint: string): HolmError {
  return new HolmError('HOLM_BASE_INVALID', `${path} cannot be used as a disk: ${why}`, {
    hint,
    details: { path },
  })
}
