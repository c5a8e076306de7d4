import { errorTable } from '@holm/core'
import { globalFlags } from '../adapter/global-flags.ts'
import type { CommandTable } from '../builtin.ts'
import { describeFlag, renderFlagName, renderUsage } from './usage.ts'

/** Man pages by file name: holm.1 and one for each command, such as holm-blueprint-list.1. */
export function renderManPages(tables: readonly CommandTable[]): Record<string, string> {
  const visible = tables.filter(({ hidden }) => !hidden)
  const pages = visible.map((table) => [`${pageName(table)}.1`, renderCommandPage(table)] as const)
  return { 'holm.1': renderRootPage(visible), ...Object.fromEntries(pages) }
}

function pageName({ id }: CommandTable): string {
  return `holm-${id.replaceAll(' ', '-')}`
}

function renderRootPage(tables: readonly CommandTable[]): string {
  return renderPage('holm', [
    ['NAME', String.raw`holm \- one blueprint, one command: a place to work, on any runtime`],
    ['SYNOPSIS', `.B holm\n${escapeText('COMMAND [ARGUMENTS] [FLAGS]')}`],
    [
      'COMMANDS',
      tables
        .map((table) => renderItem(`holm ${table.id}`, `${table.summary} See ${pageName(table)}(1).`))
        .join('\n'),
    ],
    ['GLOBAL FLAGS', renderFlags(globalFlags)],
    ['EXIT STATUS', renderExitCodes()],
    ['ENVIRONMENT', renderItem('NO_COLOR, CI', 'With either, no colours and no moving lines.')],
  ])
}

function renderCommandPage(table: CommandTable): string {
  const { id, summary, description, args = [], flags = {}, aliases = [], examples } = table
  const text = [description ?? summary, ...aliases.map((alias) => `Alias: holm ${alias}.`)]
    .map(escapeText)
    .join('\n.PP\n')
  return renderPage(pageName(table), [
    ['NAME', `${escapeText(pageName(table))} \\- ${escapeText(summary.replace(/\.$/, ''))}`],
    ['SYNOPSIS', `.B holm\n${escapeText(renderUsage({ ...table, id }))}`],
    ['DESCRIPTION', text],
    ['ARGUMENTS', args.map((arg) => renderItem(arg.name.toUpperCase(), arg.description)).join('\n')],
    ['FLAGS', renderFlags(flags)],
    ['GLOBAL FLAGS', renderFlags(globalFlags)],
    ['EXAMPLES', examples.map((each) => renderItem(each.command, each.description)).join('\n')],
    ['SEE ALSO', '.BR holm (1)'],
  ])
}

function renderPage(name: string, sections: readonly (readonly [string, string])[]): string {
  const bodies = sections.filter(([, body]) => body !== '').map(([title, body]) => `.SH ${title}\n${body}`)
  return [
    String.raw`.\" Generated from the command definitions; do not edit.`,
    `.TH "${name.toUpperCase()}" 1 "" holm holm`,
    ...bodies,
    '',
  ].join('\n')
}

function renderFlags(flags: NonNullable<CommandTable['flags']>): string {
  return Object.entries(flags)
    .map(([name, flag]) => renderItem(renderFlagName(name, flag), describeFlag(flag)))
    .join('\n')
}

function renderExitCodes(): string {
  const byCode = Map.groupBy(Object.entries(errorTable), ([, { exit }]) => exit)
  const items = [...byCode].map(([exit, errors]) =>
    renderItem(String(exit), errors.map(([code]) => code).join(', ')),
  )
  return [renderItem('0', 'Success.'), ...items].join('\n')
}

function renderItem(term: string, text: string): string {
  return `.TP\n.B ${escapeText(term)}\n${escapeText(text)}`
}

/** A backslash, a hyphen that is one, and a dot or quote at the start of a line mean something to roff. */
function escapeText(text: string): string {
  return text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll(/^([.'])/gm, String.raw`\&$1`)
}
