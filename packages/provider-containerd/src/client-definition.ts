import type { ApiTable } from './codec.ts'
import { createCodec } from './codec.ts'

export interface Method {
  readonly path: string
  requestSerialize(message: unknown): Buffer
  responseDeserialize(bytes: Buffer): unknown
}

export type Definition = (name: string) => Method

/** Looks methods up by `Service.Method`. */
export async function loadDefinition(): Promise<Definition> {
  const { default: table } = await import('./api.generated.json', { with: { type: 'json' } })
  const api = table as unknown as ApiTable
  const codec = createCodec(api)
  return (name) => {
    const found = api.methods[name]
    if (!found) throw new TypeError(`containerd's API has no ${name}`)
    const [path, request, response] = found
    return {
      path,
      requestSerialize: (message) => codec.encode(request, message),
      responseDeserialize: (bytes) => codec.decode(response, bytes),
    }
  }
}
