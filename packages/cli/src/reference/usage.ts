import type { FlagDefinition } from '@holm/core'
import type { CommandTable } from '../builtin.ts'

/** `exec [NAME] [FLAGS] -- COMMAND…`: what help, man pages and the reference show. */
export function renderUsage({ id, args = [], flags = {}, rest }: CommandTable): string {
  const names = args.map(({ name, required, multiple }) => {
    const word = `${name.toUpperCase()}${multiple ? '…' : ''}`
    return required ? word : `[${word}]`
  })
  const words = rest === undefined ? [] : [rest.required ? `-- ${rest.name}…` : `[-- ${rest.name}…]`]
  const hasFlags = Object.keys(flags).length > 0 ? ['[FLAGS]'] : []
  return [id, ...names, ...hasFlags, ...words].join(' ')
}

/** `-p, --provider=VALUE`. */
export function renderFlagName(name: string, { char, type }: FlagDefinition): string {
  const value = type === 'boolean' ? '' : type === 'integer' ? '=NUMBER' : '=VALUE'
  return `${char === undefined ? '' : `-${char}, `}--${name}${value}`
}

/** Description with the choices and the default of a flag. */
export function describeFlag({ description, options, default: standard }: FlagDefinition): string {
  const choices = options === undefined ? '' : ` One of: ${options.join(', ')}.`
  return `${description}${choices}${standard === undefined ? '' : ` Default: ${String(standard)}.`}`
}
