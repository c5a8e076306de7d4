export const block = 512

/** The sum in a header is that of its bytes, its own field taken as spaces. */
export function sumOf(head: Buffer): number {
  const copy = Buffer.from(head)
  copy.write(' '.repeat(8), 148)
  return copy.reduce((total, byte) => total + byte, 0)
}

export function hasSoundSum(head: Buffer): boolean {
  return Number.parseInt(textOf(head.subarray(148, 156)), 8) === sumOf(head)
}

/** Octal, or base 256 where the number is large. NaN where there is no number. */
export function sizeOf(head: Buffer): number {
  if (((head[124] ?? 0) & 0x80) !== 0) return Number(head.readBigUInt64BE(128))
  const text = textOf(head.subarray(124, 136)).trim()
  return text === '' ? 0 : Number.parseInt(text, 8)
}

export function textOf(field: Buffer): string {
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end === -1 ? field.length : end)
}
