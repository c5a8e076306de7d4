import type { BlueprintCommand } from '../../blueprint.ts'
import type { CommandSpec, CommandStage } from '../../spec.ts'

type SimpleCommand = string | readonly string[]

/** A string is given to a shell, a list runs as it is. */
export function toCommand(command: SimpleCommand, name?: string): CommandSpec {
  const label = name === undefined ? {} : { name }
  return typeof command === 'string' ? { shell: toUnixLines(command), ...label } : { argv: command, ...label }
}

/** One stage: nothing, one command, or a group that runs in parallel. Empty commands are nothing. */
export function toStage(command: BlueprintCommand | undefined): CommandStage {
  if (command === undefined || isBlankCommand(command)) return []
  if (typeof command === 'string' || isList(command)) return [[toCommand(command)]]
  const group = Object.entries(command).filter(([, entry]) => !isBlankCommand(entry))
  return group.length === 0 ? [] : [group.map(([name, entry]) => toCommand(entry, name))]
}

/** `scripts.setup` is one script or several; a script of white space only is none. */
export function toScripts(scripts: SimpleCommand | undefined): readonly string[] {
  const list = scripts === undefined ? [] : typeof scripts === 'string' ? [scripts] : scripts
  return list.filter((script) => script.trim() !== '').map(toUnixLines)
}

/** A script saved on Windows fails in a Linux shell with "\r: command not found". */
function toUnixLines(text: string): string {
  return text.replaceAll('\r\n', '\n')
}

/** True for a command that runs nothing. */
export function isBlankCommand(command: BlueprintCommand): boolean {
  return typeof command === 'string' ? command.trim() === '' : isList(command) && command.length === 0
}

function isList(command: BlueprintCommand): command is readonly string[] {
  return Array.isArray(command)
}
