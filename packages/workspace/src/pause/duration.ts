const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 }

/** Longest that a timer can wait. */
const most = 2 ** 31 - 1

/** Milliseconds of "90s", "30m" or "1.5h"; 0 for "off"; undefined for anything else. */
export function parseIdle(text: string): number | undefined {
  if (text === 'off') return 0
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(s|m|h)$/.exec(text.trim()) ?? []
  const milliseconds = Math.round(Number(amount) * (units[unit] ?? Number.NaN))
  return milliseconds > 0 && milliseconds <= most ? milliseconds : undefined
}
