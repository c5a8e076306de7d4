import { globalFlags } from '../adapter/global-flags.ts'
import { commandGroups } from '../builtin.ts'
import type { CommandTable } from '../builtin.ts'
import { measureWidth, padText } from '../output/width.ts'
import { describeFlag, renderFlagName, renderUsage } from './usage.ts'

type Flags = NonNullable<CommandTable['flags']>

/** docs/reference/commands.md: every command that is not hidden, by group. */
export function renderCommandsPage(tables: readonly CommandTable[]): string {
  const visible = tables.filter(({ hidden }) => !hidden)
  const groups = commandGroups.map((group) => ({
    group,
    members: visible.filter((table) => table.group === group),
  }))
  return (
    [
      '# Commands',
      'Generated from the command definitions in `packages/cli/src/commands`; do not edit. `holm COMMAND --help` says the same.',
      'Exit codes are those of [errors](errors.md); `exec`, `shell` and `check` end with the code of the program inside, ' +
        '`doctor` with 1 when a check failed.',
      '## Flags of every command',
      renderFlags(globalFlags),
      ...groups.flatMap(({ group, members }) => [`## ${group}`, ...members.flatMap(renderCommand)]),
    ].join('\n\n') + '\n'
  )
}

function renderCommand(table: CommandTable): string[] {
  const { id, summary, description, args = [], flags = {}, aliases = [], examples } = table
  const commands = examples.flatMap((example) => [`# ${example.description}`, example.command])
  return [
    `### holm ${id}`,
    summary,
    ...(description === undefined ? [] : [description]),
    `\`\`\`text\nholm ${renderUsage(table)}\n\`\`\``,
    ...(aliases.length === 0 ? [] : [`Alias: ${aliases.map((alias) => `\`holm ${alias}\``).join(', ')}`]),
    ...(args.length === 0
      ? []
      : [
          renderRows(
            'argument',
            args.map(({ name, description: text }) => [name.toUpperCase(), text]),
          ),
        ]),
    ...(Object.keys(flags).length === 0 ? [] : [renderFlags(flags)]),
    `\`\`\`sh\n${commands.join('\n')}\n\`\`\``,
  ]
}

function renderFlags(flags: Flags): string {
  return renderRows(
    'flag',
    Object.entries(flags).map(([name, flag]) => [renderFlagName(name, flag), describeFlag(flag)]),
  )
}

/** A table padded the way the formatter pads it. */
function renderRows(first: string, rows: readonly (readonly [string, string])[]): string {
  const cells = [
    [first, 'meaning'] as const,
    ...rows.map(([name, text]) => [`\`${name}\``, escapeCell(text)] as const),
  ]
  const left = Math.max(...cells.map(([name]) => measureWidth(name)))
  const right = Math.max(...cells.map(([, text]) => measureWidth(text)))
  const lines = cells.map(([name, text]) => `| ${padText(name, left)} | ${padText(text, right)} |`)
  return [lines[0], `| ${'-'.repeat(left)} | ${'-'.repeat(right)} |`, ...lines.slice(1)].join('\n')
}

function escapeCell(text: string): string {
  return text.replaceAll('|', String.raw`\|`)
}
