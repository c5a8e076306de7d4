import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'

/** A registry of OCI images on loopback: enough of the distribution protocol for an engine to pull from, also as its mirror. */
export interface Registry {
  /** "127.0.0.1:<port>": engines speak plain HTTP to this address unasked. */
  readonly host: string
  /** "GET /v2/…" in the order they came. */
  readonly requests: readonly string[]
  /** Publishes an image of these layers (tar archives); the tag moves when it is there already. Returns the manifest's digest. */
  push(name: string, tag: string, layers: readonly Buffer[]): string
  /** From now on sends this many bytes of a layer, and then nothing more. Undefined: all of it. */
  stallLayersAfter(bytes: number | undefined): void
  close(): Promise<void>
}

interface Blob {
  readonly type: string
  readonly data: Buffer
}

const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
}

const digestOf = (data: Buffer): string => `sha256:${createHash('sha256').update(data).digest('hex')}`

export async function startRegistry(): Promise<Registry> {
  const blobs = new Map<string, Blob>()
  const requests: string[] = []
  let stall: number | undefined
  const keep = (type: string, data: Buffer): { mediaType: string; digest: string; size: number } => {
    blobs.set(digestOf(data), { type, data })
    return { mediaType: type, digest: digestOf(data), size: data.length }
  }
  const tags = new Map<string, string>()
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    const [, name = '', kind, reference = ''] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/?]+)/.exec(request.url ?? '') ?? []
    if (kind === undefined) {
      response.end('{}')
      return
    }
    const digest = reference.startsWith('sha256:') ? reference : tags.get(`${name}:${reference}`)
    answer(response, { digest, blob: blobs.get(digest ?? ''), head: request.method === 'HEAD', stall })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    push(name, tag, layers) {
      const rootfs = { type: 'layers', diff_ids: layers.map(digestOf) }
      const architecture = process.arch === 'x64' ? 'amd64' : process.arch
      const config = Buffer.from(JSON.stringify({ architecture, os: 'linux', config: {}, rootfs }))
      const manifest = {
        schemaVersion: 2,
        mediaType: types.manifest,
        config: keep(types.config, config),
        layers: layers.map((layer) => keep(types.layer, gzipSync(layer, { level: 1 }))),
      }
      const { digest } = keep(types.manifest, Buffer.from(JSON.stringify(manifest)))
      tags.set(`${name}:${tag}`, digest)
      return digest
    },
    stallLayersAfter: (bytes) => (stall = bytes),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

interface Answer {
  readonly digest: string | undefined
  readonly blob: Blob | undefined
  readonly head: boolean
  readonly stall: number | undefined
}

function answer(response: ServerResponse, { digest, blob, head, stall }: Answer): void {
  if (digest === undefined || blob === undefined) {
    response.writeHead(404, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }))
    return
  }
  response.writeHead(200, {
    'content-type': blob.type,
    'content-length': blob.data.length,
    'docker-content-digest': digest,
  })
  if (head) response.end()
  else if (stall !== undefined && blob.type === types.layer) response.write(blob.data.subarray(0, stall))
  else response.end(blob.data)
}
