import { HolmError } from '../../../errors.ts'

export type Variables = Readonly<Record<string, string | undefined>>

export interface Interpolation {
  readonly variables: Variables
  /** Called with each variable that is not set and has no default; it becomes empty. */
  readonly onUnset: (name: string) => void
}

/** Names, and the operators `:-`, `-`, `:?`, `?`, `:+` and `+` of the Compose specification. */
const opening = /\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)?(:?[-?+])?)/g

/** Every text in a document with its variables filled in; keys stay as they are. Pure but for `onUnset`. */
export function interpolateAll(value: unknown, how: Interpolation): unknown {
  if (typeof value === 'string') return interpolate(value, how)
  if (Array.isArray(value)) return value.map((entry) => interpolateAll(entry, how))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, interpolateAll(entry, how)]))
}

/** `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:?message}`, `${NAME:+instead}`; `$$` is a dollar. They nest. */
export function interpolate(text: string, how: Interpolation): string {
  let result = ''
  let rest = text
  for (;;) {
    opening.lastIndex = 0
    const found = opening.exec(rest)
    if (found === null) return result + rest
    result += rest.slice(0, found.index)
    rest = rest.slice(found.index + found[0].length)
    const [, dollar, plain, braced, operator] = found
    if (dollar) result += '$'
    else if (plain !== undefined) result += valueOf(plain, how)
    else {
      const end = closingBrace(rest, text)
      const word = rest.slice(0, end)
      if (braced === undefined || (operator === undefined && word !== '')) throw malformed(text)
      result += operator === undefined ? valueOf(braced, how) : apply({ name: braced, operator, word }, how)
      rest = rest.slice(end + 1)
    }
  }
}

function valueOf(name: string, { variables, onUnset }: Interpolation): string {
  const value = variables[name]
  if (value === undefined) onUnset(name)
  return value ?? ''
}

interface Operation {
  readonly name: string
  readonly operator: string
  readonly word: string
}

function apply({ name, operator, word }: Operation, how: Interpolation): string {
  const value = how.variables[name]
  // With a colon an empty value counts as none.
  const given = value !== undefined && (value !== '' || !operator.startsWith(':'))
  if (operator.endsWith('+')) return given ? interpolate(word, how) : ''
  if (given) return value
  if (operator.endsWith('-')) return interpolate(word, how)
  throw new HolmError(
    'HOLM_BLUEPRINT_INVALID',
    `the variable ${name} is ${value === undefined ? 'not set' : 'empty'}: ${interpolate(word, how) || 'it is required'}`,
    {
      hint: `Set ${name}, or write it into the file .env beside the Compose file.`,
      details: { variable: name },
    },
  )
}

/** Where the brace closes that is open: defaults may hold variables of their own. */
function closingBrace(rest: string, text: string): number {
  let depth = 1
  for (let index = 0; index < rest.length; index += 1) {
    if (rest.startsWith('${', index)) depth += 1
    else if (rest[index] === '}' && (depth -= 1) === 0) return index
  }
  throw malformed(text)
}

function malformed(text: string): HolmError {
  return new HolmError(
    'HOLM_BLUEPRINT_INVALID',
    `${JSON.stringify(text)} has a variable that cannot be read`,
    {
      hint: 'Write ${NAME} or ${NAME:-default}, and $$ for a dollar.',
      details: { value: text },
    },
  )
}
