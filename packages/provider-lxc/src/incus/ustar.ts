const block = 512

/** A tar with one file in it. */
export function createArchive(name: string, data: Uint8Array): Uint8Array {
  const header = Buffer.alloc(block)
  header.write(name, 0)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  sealHeader(header)
  const padding = Buffer.alloc((block - (data.length % block)) % block)
  return Buffer.concat([header, data, padding, Buffer.alloc(2 * block)])
}

/** Writes the sum of a header's bytes into it. */
export function sealHeader(header: Buffer): void {
  header.write('        ', 148)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
}
