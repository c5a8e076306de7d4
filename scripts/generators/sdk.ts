import { errorTable } from '../../packages/core/src/errors.ts'
import { methods, notifications } from '../../packages/sdk/src/methods.ts'
import { rpcErrors } from '../../packages/sdk/src/protocol.ts'
import type { Generator } from '../generate.ts'
import { formatPage, formatTable, generatedFrom } from '../markdown.ts'
import { describeFields, type Described } from '../sdk-fields.ts'

const groups: Readonly<Record<string, string>> = {
  session: 'Session',
  subscription: 'Session',
  fs: 'Files',
  exec: 'Programs',
  environment: 'Environments',
  workspace: 'Workspaces',
  git: 'git',
  service: 'Services and ports',
  port: 'Services and ports',
  event: 'Events',
}

interface Method extends Described {
  readonly summary: string
  readonly notification?: true
}

function section(name: string, { summary, params, result, notification }: Method): string {
  const given = describeFields(params)
  const answer = result === undefined || notification ? '' : describeFields(result)
  return [
    `### ${name}`,
    `${summary}${notification ? ' A notification: it has no answer.' : ''}`,
    given === '' ? '' : `Params:\n\n${given}`,
    answer === '' ? '' : `Result:\n\n${answer}`,
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

function grouped(): string[] {
  const titles = [...new Set(Object.values(groups))]
  return titles.map((title) => {
    const own = Object.entries(methods as Readonly<Record<string, Method>>).filter(
      ([name]) => groups[name.split('.')[0] ?? ''] === title,
    )
    return [`## ${title}`, ...own.map(([name, method]) => section(name, method))].join('\n\n')
  })
}

function assertGrouped(): void {
  const stray = Object.keys(methods).find((name) => !((name.split('.')[0] ?? '') in groups))
  if (stray !== undefined) throw new Error(`no group of ${stray} in scripts/generators/sdk.ts`)
}

function page(): string {
  const errors = formatTable(
    ['code', 'meaning'],
    Object.values(rpcErrors).map(({ code, meaning }) => [String(code), meaning]),
  )
  const told = Object.entries(notifications as Readonly<Record<string, Method>>)
  return formatPage(
    generatedFrom('packages/sdk/src/methods.ts'),
    '# Remote-control API',
    'What `holm serve` understands: JSON-RPC 2.0, one message each way at a time, no batches. [The guide](../guide/remote.md) tells how to\nconnect. Params and results are objects; an unknown key in params is refused.',
    ...grouped(),
    ['## Notifications of the server', ...told.map(([name, each]) => section(name, each))].join('\n\n'),
    `## Errors\n\n\`error.data\` has holm's own \`code\` ([errors](errors.md)), a \`hint\`, and \`details\`.\n\n${errors}`,
  )
}

function codes(): string {
  const names = Object.keys(errorTable).map((code) => `  | '${code}'`)
  return `// Generated from packages/core/src/errors.ts by scripts/generate.ts.\n\n/** See docs/reference/errors.md. */\nexport type HolmErrorCode =\n${names.join('\n')}\n`
}

const generator: Generator = {
  name: 'sdk',
  generate() {
    assertGrouped()
    return Promise.resolve({
      'docs/reference/remote-api.md': page(),
      'packages/sdk/src/error-codes.generated.ts': codes(),
    })
  },
}

export default generator
