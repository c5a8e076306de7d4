import { basename } from 'node:path'
import { readSource, nameSource, type BlueprintContext } from './blueprint-context.ts'
import { slugify } from './environment-name.ts'
import type { FoundBlueprint } from './find-blueprint.ts'
import type { LoadedBlueprint } from './loaded-blueprint.ts'
import { parseDocument } from './parse-document.ts'
import { isRecord } from './plain-value.ts'
import { issuesError, type DocumentIssue } from './schema-issues.ts'

/** What lima-sandbox's project file says of the machine becomes a blueprint; the rest is named in warnings. */
export async function loadLimaSandbox(
  { source: found, project }: FoundBlueprint,
  { env }: Pick<BlueprintContext, 'env'>,
): Promise<LoadedBlueprint> {
  const source = nameSource(found)
  const document = await parseDocument(await readSource(found), source, 'toml')
  const { blueprint, issues, warnings } = translate(isRecord(document.value) ? document.value : {}, env)
  if (issues.length > 0) throw issuesError(issues, source, document)
  const { assertBlueprint } = await import('./validate-native.ts')
  const checked = await assertBlueprint(blueprint, source)
  const defaultName = slugify(checked.name ?? basename(project))
  return {
    source,
    format: 'native',
    project,
    directory: project,
    warnings: warnings.map((warning) => `${source}: ${warning}`),
    blueprint: checked,
    defaultName,
    ...(checked.base !== undefined && { base: checked.base }),
  }
}

type Table = Readonly<Record<string, unknown>>

interface Translated {
  /** Not checked yet. */
  readonly blueprint: Table
  readonly issues: readonly DocumentIssue[]
  readonly warnings: readonly string[]
}

/** Names of tools as they are called here. */
const tools: Readonly<Record<string, string>> = { nodejs: 'node', python: 'python', rust: 'rust', go: 'go' }

/** Keys that are known and stand for nothing here, with what to do instead. */
const passedOver: Readonly<Record<string, string>> = {
  'vm.vmType': 'choose how it runs with --provider',
  'tools.duckdb': 'install it with hooks.post_provision',
  claude: 'no coding agent is installed',
  sync: 'the project is mounted, and nothing has to be copied',
  watch: 'the project is mounted, and nothing has to be copied',
  'hooks.pre_run': 'put it before the command that is run',
}

/** Pure: the table with what the environment of this process changes in it. */
export function translate(table: Table, env: Readonly<Record<string, string | undefined>>): Translated {
  const issues: DocumentIssue[] = []
  const sectionOf = (name: string): Table => {
    const value = table[name] ?? {}
    if (isRecord(value)) return value
    issues.push({ path: [name], message: 'must be a table' })
    return {}
  }
  const [vm, wanted, hooks] = [sectionOf('vm'), sectionOf('tools'), sectionOf('hooks')]
  const name = env['LIMA_SANDBOX_PROJECT'] ?? table['project']
  const resources = defined({
    cpus: env['LIMA_SANDBOX_CPUS'] ?? vm['cpus'],
    memory: env['LIMA_SANDBOX_MEMORY'] ?? vm['memory'],
    disk: env['LIMA_SANDBOX_DISK'] ?? vm['disk'],
  })
  const installed = Object.entries(wanted).flatMap(([key, version]) => {
    const tool = tools[key]
    return tool === undefined || version === false ? [] : [[tool, version === true ? 'latest' : version]]
  })
  return {
    issues,
    warnings: warningsOf(table),
    // Checked as any other blueprint is, by those who know its keys.
    blueprint: defined({
      name,
      base: vm['image'],
      resources: Object.keys(resources).length > 0 ? resources : undefined,
      packages: wanted['apt'],
      tools: installed.length > 0 ? Object.fromEntries(installed) : undefined,
      scripts: hooks['post_provision'] === undefined ? undefined : { postInstall: hooks['post_provision'] },
      lifecycle: hooks['post_sync'] === undefined ? undefined : { postCreate: stageOf(hooks['post_sync']) },
    }),
  }
}

/** Several commands one after another; a list would be one command without a shell. */
function stageOf(commands: unknown): unknown {
  const isList = Array.isArray(commands) && commands.every((each) => typeof each === 'string')
  return isList ? ['set -e', ...commands].join('\n') : commands
}

function defined(table: Table): Table {
  return Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined))
}

const known: Readonly<Record<string, readonly string[]>> = {
  vm: ['cpus', 'memory', 'disk', 'image'],
  tools: [...Object.keys(tools), 'apt'],
  hooks: ['post_provision', 'post_sync'],
}

function warningsOf(table: Table): string[] {
  return Object.entries(table).flatMap(([section, value]) => {
    if (section === 'project') return []
    const keys = known[section]
    if (keys === undefined || !isRecord(value)) return keys === undefined ? [tell(section)] : []
    return Object.keys(value)
      .filter((key) => !keys.includes(key))
      .map((key) => tell(`${section}.${key}`))
  })
}

function tell(key: string): string {
  const instead = passedOver[key]
  return instead === undefined ? `${key} is unknown and not used` : `${key} is not used: ${instead}`
}
