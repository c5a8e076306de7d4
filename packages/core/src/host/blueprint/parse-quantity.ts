import { HolmError } from '../../errors.ts'

/** Powers of 1024 whatever the spelling: `4GiB`, `4gb`, `4g` and `4G` are one size, as in Docker. */
const sizeUnits: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}

/** "4GiB", "512mb", "1.5g" or a number of bytes to bytes. Throws HOLM_BLUEPRINT_INVALID. */
export function parseSize(value: string | number): number {
  if (typeof value === 'number') return wholeBytes(value, value)
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*$/i.exec(value)
  const factor = sizeUnits[(match?.[2] ?? '').toLowerCase()]
  if (match === null || factor === undefined) throw invalidQuantity(value, 'a size such as "4GiB" or "512mb"')
  return wholeBytes(Number(match[1]) * factor, value)
}

function wholeBytes(bytes: number, value: string | number): number {
  const whole = Math.round(bytes)
  if (!Number.isSafeInteger(whole) || whole <= 0) throw invalidQuantity(value, 'a size greater than 0')
  return whole
}

const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** "500ms", "5s", "1m30s", "2h" to milliseconds. Throws HOLM_BLUEPRINT_INVALID. */
export function parseDuration(value: string): number {
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== value.replaceAll(/\s/g, '')) {
    throw invalidQuantity(value, 'a duration such as "5s" or "1m30s"')
  }
  return Math.round(
    parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (timeUnits[unit ?? ''] ?? 0), 0),
  )
}

/** A number of cores: 1.5, "2". Throws HOLM_BLUEPRINT_INVALID. */
export function parseCpus(value: string | number): number {
  const cpus =
    typeof value === 'number' ? value : /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isFinite(cpus) || cpus <= 0 || cpus > 4096)
    throw invalidQuantity(value, 'a number of cores such as 2 or 0.5')
  return cpus
}

/** What every small parser of this folder throws; the schema adds file, line and path. */
export function invalidQuantity(value: unknown, expected: string): HolmError {
  return new HolmError('HOLM_BLUEPRINT_INVALID', `${JSON.stringify(value)} is not ${expected}`, {
    hint: `Write ${expected}.`,
    details: { value },
  })
}
