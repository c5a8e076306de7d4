import { createHash } from 'node:crypto'
import { HolmError } from '../../../errors.ts'
import type { ReadText, ToolArchive } from './upstream.ts'

export interface Download {
  readonly fetch: typeof globalThis.fetch
  readonly signal: AbortSignal | undefined
}

async function request(url: string, { fetch, signal }: Download): Promise<Response> {
  const response = await fetch(url, signal ? { signal } : {})
  if (response.ok) return response
  throw new HolmError('HOLM_COMMAND_FAILED', `${url} answered ${response.status}`)
}

/** Text of an address, by this machine: a base needs no download program. */
export function createReadText(download: Download): ReadText {
  return async (url) => (await request(url, download)).text()
}

/** The whole archive, or HOLM_COMMAND_FAILED when its bytes are not those its makers published. */
export async function downloadArchive(archive: ToolArchive, download: Download): Promise<Uint8Array> {
  const bytes = new Uint8Array(await (await request(archive.url, download)).arrayBuffer())
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  if (sha256 === archive.sha256.toLowerCase()) return bytes
  throw new HolmError(
    'HOLM_COMMAND_FAILED',
    `${archive.url} has checksum ${sha256}, its makers publish ${archive.sha256}`,
    {
      hint: 'Try again later; if it stays, report it to the mirror and do not use the file.',
    },
  )
}
