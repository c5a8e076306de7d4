import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import table from './api.generated.json' with { type: 'json' }
import { createCodec } from './codec.ts'
import type { ApiTable } from './codec.ts'

interface Oracle {
  readonly requestSerialize: (message: unknown) => Buffer
  readonly requestDeserialize: (bytes: Uint8Array) => unknown
}

/** The library that everybody uses, from the same .proto files. */
function loadOracle(service: string, method: string): Oracle {
  const loader = createRequire(import.meta.url)('@grpc/proto-loader') as typeof import('@grpc/proto-loader')
  const folder = new URL('../proto', import.meta.url).pathname
  const file = `github.com/containerd/containerd/api/services/${service.toLowerCase()}/v1/${service.toLowerCase()}.proto`
  const options = { longs: Number, enums: String, defaults: true, includeDirs: [folder] }
  const found = loader.loadSync(file, options)[`containerd.services.${service.toLowerCase()}.v1.${service}`]
  return (found as unknown as Record<string, Oracle>)[method] as Oracle
}

const codec = createCodec(table as unknown as ApiTable)
const any = { type_url: 'a/b', value: Buffer.from([0, 1, 255]) }
const container = {
  id: 'ünï ✓',
  labels: { a: 'b', empty: '', 'with space': 'x'.repeat(300) },
  image: '',
  runtime: { name: 'r', options: any },
  spec: any,
  snapshotter: 'overlayfs',
  snapshotKey: 'k',
  createdAt: { seconds: 1_795_000_000, nanos: 999_999_999 },
  updatedAt: null,
  extensions: { one: any },
}

describe.each([
  ['Containers', 'Create', { container }],
  ['Containers', 'Update', { container: { id: 'x' }, updateMask: { paths: ['a', 'b.c'] } }],
  [
    'Tasks',
    'Create',
    { containerId: 'c', rootfs: [{ type: 't', source: 's', options: ['a', 'b'] }], terminal: true },
  ],
  ['Tasks', 'Kill', { containerId: 'c', signal: 300, all: false }],
  [
    'Content',
    'Write',
    { action: 'COMMIT', ref: 'r', total: 2 ** 40 + 5, offset: 128, data: Buffer.alloc(70_000, 7) },
  ],
  ['Content', 'Write', { action: 'STAT' }],
  ['Leases', 'Create', { id: '', labels: {} }],
] as const)('%s.%s', (service, method, message) => {
  const [, type = ''] = (table.methods as unknown as ApiTable['methods'])[`${service}.${method}`] ?? []

  it('is written as the library reads it, and read as the library reads it', () => {
    const oracle = loadOracle(service, method)
    const theirs = oracle.requestDeserialize(oracle.requestSerialize(message))
    expect(plain(oracle.requestDeserialize(codec.encode(type, message)))).toEqual(plain(theirs))
    expect(plain(codec.decode(type, oracle.requestSerialize(message)))).toEqual(plain(theirs))
  })
})

/** Bytes as text; the library gives plain objects with prototypes of its own. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, item: unknown) => item ?? undefined))
}

it('reads numbers below zero and skips what it does not know', () => {
  const negative = Buffer.from([0x08, ...Array<number>(9).fill(255), 1])
  expect(codec.decode('google.protobuf.Timestamp', negative)).toEqual({ seconds: -1, nanos: 0 })
  const unknown = Buffer.from([
    0x7a, 2, 1, 1, 0x78, 5, 0x7d, 0, 0, 0, 0, 0x79, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 7,
  ])
  expect(codec.decode('google.protobuf.Timestamp', unknown)).toEqual({ seconds: 0, nanos: 7 })
})

it('refuses what is cut off', () => {
  expect(() => codec.decode('google.protobuf.Any', Buffer.from([0x0a, 9, 1]))).toThrow(/cut off/)
})
