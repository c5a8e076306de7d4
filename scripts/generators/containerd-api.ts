import { createRequire } from 'node:module'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'
import type { Generator } from '../generate.ts'
import { root } from '../root.ts'

const folder = 'packages/provider-containerd'

/** The parts of protobufjs that are used here; it is a dependency of @grpc/proto-loader, and resolved from there. */
interface Protobuf {
  readonly Root: new () => ProtobufRoot
}
interface ProtobufRoot {
  resolvePath: (origin: string, target: string) => string | null
  loadSync(files: readonly string[]): ProtobufRoot
  toJSON(): { nested?: Record<string, unknown> }
}

/** containerd's .proto files as JSON, so that nobody who runs holm waits for a parser. */
const containerdApi: Generator = {
  name: 'containerd-api',
  generate: () => Promise.resolve({ [`${folder}/src/api.generated.json`]: `${JSON.stringify(loadApi())}\n` }),
}

function loadApi(): unknown {
  const protobuf = loadProtobuf()
  const base = join(root, folder, 'proto')
  const api = new protobuf.Root()
  api.resolvePath = (_origin, target) => {
    const file = join(base, target)
    // Annotations for the Go compiler (gogoproto): nothing on the wire depends on them.
    return target.startsWith('/') ? target : existsSync(file) ? file : null
  }
  const files = globSync('**/*.proto', { cwd: base }).toSorted()
  return withoutOptions(api.loadSync(files.map((file) => join(base, file))).toJSON())
}

function loadProtobuf(): Protobuf {
  const fromPackage = createRequire(join(root, folder, 'package.json'))
  const fromLoader = createRequire(fromPackage.resolve('@grpc/proto-loader'))
  return fromLoader('protobufjs') as Protobuf
}

/** Options are annotations for other languages and comments: left out, the file is half as long. Fields of that name stay. */
function withoutOptions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutOptions)
  if (!isObject(value)) return value
  const kept = Object.entries(value).filter(([key, item]) => key !== 'options' || isField(item))
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutOptions(item)]))
}

function isField(value: unknown): boolean {
  return isObject(value) && typeof value['id'] === 'number' && typeof value['type'] === 'string'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

export default containerdApi
