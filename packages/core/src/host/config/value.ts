import type { ConfigEntry, ConfigType } from './schema.ts'

/** A value as holm uses it, or what is wrong with the one that was written ("is …, not …"). */
export type Checked = { readonly value: unknown } | { readonly problem: string }

type Check = (value: unknown, entry: ConfigEntry) => Checked

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds of "500ms", "30s", "1.5m", "1h", or of a plain number; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit = 'ms'] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)?$/.exec(text.trim()) ?? []
  return amount === undefined ? undefined : Math.round(Number(amount) * (units[unit] ?? 1))
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value)
}

function refuse(value: unknown, wanted: string): Checked {
  return { problem: `is ${show(value)}, not ${wanted}` }
}

const checks: Readonly<Record<ConfigType, Check>> = {
  string(value, { options, form }) {
    if (typeof value !== 'string' || value === '') return refuse(value, 'a text')
    if (options && !options.includes(value)) return refuse(value, `one of ${options.join(', ')}`)
    return form && !form.pattern.test(value) ? refuse(value, form.words) : { value }
  },
  boolean: (value) => (typeof value === 'boolean' ? { value } : refuse(value, 'true or false')),
  integer(value, { range: [min, max] = [0, Number.MAX_SAFE_INTEGER] }) {
    const fits = typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
    return fits ? { value } : refuse(value, `a whole number from ${min} to ${max}`)
  },
  duration(value) {
    const milliseconds = typeof value === 'string' ? parseDuration(value) : value
    const fits = typeof milliseconds === 'number' && milliseconds > 0 && milliseconds < 2 ** 31
    return fits ? { value: milliseconds } : refuse(value, 'a time such as 500ms, 30s, 5m or 1h')
  },
  plugins(value) {
    if (!Array.isArray(value)) return refuse(value, 'a list')
    const wrong = value.find((item) => !isPlugin(item))
    return wrong === undefined
      ? { value }
      : { problem: `holds ${show(wrong)}, not a name, a path or [name, options]` }
  },
}

function isPlugin(item: unknown): boolean {
  if (typeof item === 'string') return item !== ''
  if (Array.isArray(item)) return item.length <= 2 && typeof item[0] === 'string'
  return typeof item === 'object' && item !== null && 'setup' in item
}

/** Checks a value of a configuration file or of code. */
export function checkValue(value: unknown, entry: ConfigEntry): Checked {
  return checks[entry.type](value, entry)
}

const words: Readonly<Record<string, boolean>> = {
  true: true,
  '1': true,
  yes: true,
  on: true,
  false: false,
  '0': false,
  no: false,
  off: false,
}

const readers: Readonly<Partial<Record<ConfigType, (text: string) => unknown>>> = {
  boolean: (text) => words[text.toLowerCase()] ?? text,
  integer: (text) => (/^-?\d+$/.test(text) ? Number(text) : text),
  plugins: readList,
}

/** Checks a value that arrives as text: an environment variable, `holm config set`. */
export function checkText(text: string, entry: ConfigEntry): Checked {
  return checkValue(readers[entry.type]?.(text.trim()) ?? text, entry)
}

/** A JSON list, or names with commas between. */
function readList(text: string): unknown {
  if (text.startsWith('[')) return parseLoose(text)
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

/** JSON where it is JSON, else the text itself: values of plugins, whose types only they know. */
export function parseLoose(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
