/** What a configuration file of Lima is made of. Keys whose value is undefined are left out. */
export type YamlValue =
  | string
  | number
  | boolean
  | readonly YamlValue[]
  | { readonly [key: string]: YamlValue | undefined }

/** Block style for people, every text double-quoted: nothing a text holds can be taken for syntax. */
export function formatYaml(value: { readonly [key: string]: YamlValue | undefined }): string {
  return `${formatMap(value, '').join('\n')}\n`
}

function formatMap(map: { readonly [key: string]: YamlValue | undefined }, indent: string): string[] {
  return Object.entries(map).flatMap(([key, value]) =>
    value === undefined ? [] : formatEntry(`${indent}${formatKey(key)}:`, value, indent),
  )
}

function formatEntry(head: string, value: YamlValue, indent: string): string[] {
  const flat = formatFlat(value)
  if (flat !== undefined) return [`${head} ${flat}`]
  if (Array.isArray(value)) return [head, ...value.flatMap((item: YamlValue) => formatItem(item, indent))]
  return [head, ...formatMap(value as { readonly [key: string]: YamlValue }, `${indent}  `)]
}

function formatItem(item: YamlValue, indent: string): string[] {
  const flat = formatFlat(item)
  if (flat !== undefined) return [`${indent}- ${flat}`]
  const lines = formatMap(item as { readonly [key: string]: YamlValue }, `${indent}  `)
  return lines.map((line, index) => (index === 0 ? `${indent}- ${line.slice(indent.length + 2)}` : line))
}

/** What stands on one line; undefined for what needs a block. */
function formatFlat(value: YamlValue): string | undefined {
  if (typeof value === 'string') return quoteYaml(value)
  if (typeof value !== 'object') return String(value)
  if (!Array.isArray(value)) return Object.keys(value).length === 0 ? '{}' : undefined
  const items = value.map((item: YamlValue) => (typeof item === 'object' ? undefined : formatFlat(item)))
  return items.every((item) => item !== undefined) ? `[${items.join(', ')}]` : undefined
}

function formatKey(key: string): string {
  return /^[A-Za-z][A-Za-z0-9_-]*$/.test(key) ? key : quoteYaml(key)
}

/** A double-quoted scalar. Beyond printable ASCII everything is escaped: YAML has no surrogates and forbids some controls. */
export function quoteYaml(text: string): string {
  const escaped = Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0
    if (character === '"' || character === '\\') return `\\${character}`
    if (code >= 0x20 && code < 0x7f) return character
    return code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`
  })
  return `"${escaped.join('')}"`
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
