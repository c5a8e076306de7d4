import { HolmError } from '@holm/core'

const days = /^(\d+(?:\.\d+)?)\s*(m|h|d|w)$/
const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** "30d", "12h", "90m", "2w" to milliseconds. HOLM_USAGE names the flag. */
export function parseAge(text: string, flag: string): number {
  const [, amount, unit = ''] = days.exec(text.trim()) ?? []
  if (amount === undefined) throw wrong(text, flag, 'an age such as 30d, 12h or 2w')
  return Number(amount) * (unitMs[unit] ?? 0)
}

/** The host's own reading of sizes; HOLM_USAGE names the flag. */
export async function parseSizeFlag(text: string, flag: string): Promise<number> {
  const { parseSize } = await import('@holm/core/host')
  try {
    return parseSize(text)
  } catch {
    throw wrong(text, flag, 'a size such as 4gb or 512mb')
  }
}

export function parseCpusFlag(text: string, flag: string): number {
  const cpus = /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : 0
  if (cpus <= 0) throw wrong(text, flag, 'a number of cores such as 2 or 0.5')
  return cpus
}

function wrong(text: string, flag: string, form: string): HolmError {
  return new HolmError('HOLM_USAGE', `--${flag} is "${text}", which is not ${form}`, {
    hint: `Give --${flag} ${form}.`,
  })
}
