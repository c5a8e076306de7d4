import { blueprintKeys } from '../../packages/core/src/host/blueprint/blueprint-keys.ts'
import { toBlueprintJsonSchema } from '../../packages/core/src/host/blueprint/native-schema.ts'
import type { Generator } from '../generate.ts'

interface Schema {
  description?: string
  type?: string | string[]
  anyOf?: Schema[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  additionalProperties?: boolean | Schema
  propertyNames?: Schema
  enum?: unknown[]
  const?: unknown
  $schema?: string
  $id?: string
  title?: string
}

const typeless = (schema: Schema): boolean => Object.keys(schema).every((key) => key === 'description')

/** In a file `null` removes what a parent says, so every key that may be absent may be null. */
function orNull(schema: Schema): Schema {
  if (typeless(schema)) return schema
  const { description, ...rest } = schema
  const words = description === undefined ? {} : { description }
  const simple = typeof rest.type === 'string' && rest.enum === undefined && rest.const === undefined
  if (simple) return { ...words, ...rest, type: [rest.type as string, 'null'] }
  return { ...words, anyOf: [...(rest.anyOf ?? [rest]), { type: 'null' }] }
}

/** Adds descriptions from the table; `path` is the table's key of the schema. */
function describe(schema: Schema, path: string): Schema {
  const result: Schema = { ...schema }
  if (schema.anyOf) result.anyOf = schema.anyOf.map((branch) => describe(branch, path))
  if (schema.items) result.items = describe(schema.items, path)
  if (schema.properties) {
    const entries = Object.entries(schema.properties).map(([key, property]) => {
      const inner = describeProperty(property, path === '' ? key : `${path}.${key}`)
      return [key, schema.required?.includes(key) ? inner : orNull(inner)]
    })
    result.properties = Object.fromEntries(entries) as Record<string, Schema>
  }
  if (typeof schema.additionalProperties === 'object') {
    result.additionalProperties = orNull(describeProperty(schema.additionalProperties, `${path}.*`))
  }
  return result
}

function describeProperty(schema: Schema, path: string): Schema {
  const description = blueprintKeys[path]
  return { ...(description === undefined ? {} : { description }), ...describe(schema, path) }
}

/** The schema as it is published. */
export function createBlueprintSchema(): Schema {
  const { $schema, ...schema } = toBlueprintJsonSchema() as Schema
  return {
    ...($schema === undefined ? {} : { $schema }),
    title: 'holm blueprint',
    description: 'Declares an environment for `holm up`.',
    ...describe(schema, ''),
  }
}

const width = 110

/** JSON as the formatter writes it: lists of texts that fit stand on one line. */
function formatJson(value: unknown): string {
  const text = JSON.stringify(value, undefined, 2)
  const inLines = text.replaceAll(
    /^(.*)\[\n((?: +"[^"\n]*",?\n)+) +\]/gm,
    (match, before: string, items: string) => {
      const line = `${before}[${items.trim().split(/\n\s*/).join(' ')}]`
      return line.length < width ? line : match
    },
  )
  return `${inLines}\n`
}

const generator: Generator = {
  name: 'blueprint-schema',
  generate: async () => ({
    'packages/core/schema/holm.schema.json': formatJson(createBlueprintSchema()),
  }),
}

export default generator
