import { configKeys, findEntry, type ConfigEntry } from '../../packages/core/src/host/config/schema.ts'
import type { Generator } from '../generate.ts'
import { formatPage, formatTable, generatedFrom } from '../markdown.ts'

const units = [
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1000, 's'],
] as const

function formatDuration(milliseconds: number): string {
  const [size, unit] = units.find(([size]) => milliseconds % size === 0) ?? [1, 'ms']
  return `${milliseconds / size}${unit}`
}

function formatDefault({ type, default: value }: ConfigEntry): string {
  if (value === undefined) return ''
  return `\`${type === 'duration' ? formatDuration(Number(value)) : JSON.stringify(value)}\``
}

function formatType({ type, options, range, form }: ConfigEntry): string {
  if (options) return options.map((option) => `\`${option}\``).join(', ')
  if (range) return `${type}, ${range[0]} to ${range[1]}`
  return form ? `${type}: ${form.words}` : type
}

const layers = `Later wins, key by key:

1. the defaults below
2. the machine: \`/etc/holm/config.{json,yaml,yml,toml}\` (Windows: \`%PROGRAMDATA%\\holm\`)
3. the user: \`config.{ts,js,mjs,json,yaml,yml,toml}\` in \`$XDG_CONFIG_HOME/holm\`, by default \`~/.config/holm\` (Windows: \`%APPDATA%\\holm\`)
4. the project: \`holm.config.{ts,js,mjs,json,yaml,yml,toml}\` in the nearest folder up to the git root
5. the variables \`HOLM_*\`
6. flags

\`holm config list --sources\` shows where each value comes from. \`holm config set <key> <value> --scope user|project\` edits YAML and JSON,
keeps comments, and leaves the old file as \`.bak\`. A configuration in code is run by every command in that project: look at it before you use
a project of someone else.`

const others = `Sections \`plugin.<id>\` belong to the plugins, which check them: \`HOLM_PLUGIN__MY_MESH__AUTH_KEY\` sets \`plugin.my-mesh.authKey\`.
\`HOLM_HOME\` puts data, cache, configuration and state under one folder. A time is written as \`500ms\`, \`30s\`, \`5m\` or \`1h\`; a plain number
is milliseconds.`

const generator: Generator = {
  name: 'config',
  async generate() {
    const rows = configKeys.map((key) => {
      const entry = findEntry(key)
      if (!entry) throw new Error(`no entry of ${key}`)
      return [`\`${key}\``, entry.meaning, formatType(entry), formatDefault(entry), `\`${entry.env}\``]
    })
    const table = formatTable(['key', 'meaning', 'type', 'default', 'variable'], rows)
    const source = generatedFrom('packages/core/src/host/config/schema.ts')
    return { 'docs/reference/config.md': formatPage(source, '# Configuration', layers, table, others) }
  },
}

export default generator
