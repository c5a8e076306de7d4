import { createRequire } from 'node:module'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import type { ApiTable, FieldTable } from '../../packages/provider-containerd/src/codec.ts'
import type { Generator } from '../generate.ts'
import { root } from '../root.ts'

const folder = 'packages/provider-containerd'

/** The parts of protobufjs that are used here; it is a dependency of @grpc/proto-loader, and resolved from there. */
interface Field {
  readonly id: number
  readonly name: string
  readonly type: string
  readonly repeated: boolean
  readonly map: boolean
  readonly resolvedType: Node | null
}
interface Node {
  readonly name: string
  readonly fullName: string
  readonly fieldsArray?: readonly Field[]
  readonly values?: Readonly<Record<string, number>>
  readonly methodsArray?: readonly Method[]
  readonly nestedArray?: readonly Node[]
}
interface Method {
  readonly name: string
  readonly resolvedRequestType: Node
  readonly resolvedResponseType: Node
}
interface Root extends Node {
  resolvePath: (origin: string, target: string) => string | null
  loadSync(files: readonly string[]): Root
  resolveAll(): void
}

/** containerd's .proto files as one table of what the client needs, so that nobody who runs holm waits for a parser. */
const containerdApi: Generator = {
  name: 'containerd-api',
  generate: () =>
    Promise.resolve({ [`${folder}/src/api.generated.json`]: `${JSON.stringify(tableOf(loadApi()))}\n` }),
}

function loadApi(): Root {
  const fromPackage = createRequire(join(root, folder, 'package.json'))
  const fromLoader = createRequire(fromPackage.resolve('@grpc/proto-loader'))
  const protobuf = fromLoader('protobufjs') as { readonly Root: new () => Root }
  const base = join(root, folder, 'proto')
  const api = new protobuf.Root()
  api.resolvePath = (_origin, target) => {
    const file = join(base, target)
    // Annotations for the Go compiler (gogoproto): nothing on the wire depends on them.
    return target.startsWith('/') ? target : existsSync(file) ? file : null
  }
  const files = globSync('**/*.proto', { cwd: base }).toSorted()
  api.loadSync(files.map((file) => join(base, file)))
  api.resolveAll()
  return api
}

function tableOf(api: Root): ApiTable {
  const methods: Record<string, readonly [string, string, string]> = {}
  const messages: Record<string, readonly FieldTable[]> = {}
  const enums: Record<string, readonly string[]> = {}
  const visit = (node: Node): void => {
    const name = node.fullName.slice(1)
    for (const { name: method, resolvedRequestType, resolvedResponseType } of node.methodsArray ?? [])
      methods[`${node.name}.${method}`] = [
        `/${name}/${method}`,
        resolvedRequestType.fullName.slice(1),
        resolvedResponseType.fullName.slice(1),
      ]
    if (node.fieldsArray) messages[name] = node.fieldsArray.map(fieldOf)
    if (node.values) enums[name] = namesOf(node.values)
    for (const inner of node.nestedArray ?? []) visit(inner)
  }
  visit(api)
  return { methods, messages, enums }
}

function fieldOf({ id, name, type, repeated, map, resolvedType }: Field): FieldTable {
  const kind = resolvedType?.fullName.slice(1) ?? type
  if (repeated && !resolvedType && type !== 'string')
    throw new TypeError(`${name}: packed fields are not read here`)
  return [id, name, kind, map ? 'map' : repeated ? 'many' : 'one']
}

function namesOf(values: Readonly<Record<string, number>>): readonly string[] {
  const names = Object.entries(values).toSorted(([, a], [, b]) => a - b)
  if (names.some(([, number], index) => number !== index)) throw new TypeError('an enum has gaps')
  return names.map(([name]) => name)
}

export default containerdApi
