import { formatTable } from './markdown.ts'

/** The part of JSON Schema that the table of methods uses. */
interface Schema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
  readonly required?: readonly string[]
  readonly description?: string
}

export interface Described {
  readonly params: { toJSONSchema(): unknown }
  readonly result?: { toJSONSchema(): unknown }
}

/** A table of the fields of an object, those of objects in it included; empty for one without fields. */
export function describeFields(schema: Described['params']): string {
  const rows = fieldsOf(schema.toJSONSchema() as Schema, '')
  return rows.length === 0 ? '' : formatTable(['field', 'type', 'meaning'], rows)
}

function fieldsOf({ properties = {}, required = [] }: Schema, prefix: string): string[][] {
  return Object.entries(properties).flatMap(([name, field]) => {
    const path = `${prefix}${name}`
    const inner = field.items ?? field
    const type = `${nameOf(field)}${required.includes(name) ? '' : ', optional'}`
    const suffix = field.items === undefined ? '.' : '[].'
    return [[`\`${path}\``, type, field.description ?? ''], ...fieldsOf(inner, `${path}${suffix}`)]
  })
}

function nameOf({ type, enum: choices, anyOf, items, additionalProperties }: Schema): string {
  if (choices !== undefined) return choices.map((choice) => `\`${String(choice)}\``).join(' or ')
  if (anyOf !== undefined) return anyOf.map((each) => nameOf(each)).join(' or ')
  if (items !== undefined) return `list of ${nameOf(items)}`
  if (
    typeof additionalProperties === 'object' &&
    type === 'object' &&
    additionalProperties.type !== undefined
  )
    return `map of ${additionalProperties.type}`
  return type ?? 'any'
}
