import { HolmError } from '../../errors.ts'
import type { PublishedSource } from './catalogue.ts'

/** A file of the distribution with the checksum it publishes. */
export interface PublishedFile {
  readonly url: string
  /** SHA-256 or SHA-512 in hex: its length says which. */
  readonly sum: string
}

interface Listed {
  readonly file: string
  readonly sum: string
}

/** Files of Alpine's latest-releases.yaml. Pure. */
export function parseAlpineReleases(text: string): readonly Listed[] {
  return text.split(/^-/m).flatMap((block) => {
    const file = /^\s*file:\s*(\S+)/m.exec(block)?.[1]
    const sum = /^\s*sha256:\s*([0-9a-f]{64})\b/m.exec(block)?.[1]
    return file !== undefined && sum !== undefined ? [{ file, sum }] : []
  })
}

/** Files of a SHA256SUMS or SHA512SUMS list. Pure. */
export function parseSums(text: string): readonly Listed[] {
  return text.split('\n').flatMap((line) => {
    const found = /^([0-9a-f]{64}|[0-9a-f]{128})\s+\*?(\S+)\s*$/i.exec(line)
    return found?.[1] !== undefined && found[2] !== undefined
      ? [{ file: found[2], sum: found[1].toLowerCase() }]
      : []
  })
}

/** The newest of the listed files that the source means, for the architecture (`process.arch`). Pure. */
export function selectPublished(
  source: PublishedSource,
  listText: string,
  arch: string,
): PublishedFile | undefined {
  const word = source.architectures[arch]
  if (word === undefined) return undefined
  const list = source.list.replaceAll('{arch}', word)
  const pattern = new RegExp(`^${source.file.replaceAll('{arch}', word)}$`)
  const listed = source.format === 'alpine-releases' ? parseAlpineReleases(listText) : parseSums(listText)
  const newest = listed
    .filter(({ file }) => pattern.test(file))
    .toSorted((a, b) => a.file.localeCompare(b.file, 'en', { numeric: true }))
    .at(-1)
  return newest && { url: new URL(newest.file, list).href, sum: newest.sum }
}

/** Asks the distribution for its file and checksum. */
export async function findPublished(
  source: PublishedSource,
  arch: string,
  { fetch, signal }: { readonly fetch: typeof globalThis.fetch; readonly signal?: AbortSignal },
): Promise<PublishedFile> {
  const list = source.list.replaceAll('{arch}', source.architectures[arch] ?? arch)
  const hint = 'Check the network, or fetch the file elsewhere and use holm base add <name> <file>.'
  const response = await fetch(list, signal ? { signal } : {}).catch((cause: unknown) => {
    throw new HolmError('HOLM_COMMAND_FAILED', `${list} cannot be reached`, { hint, cause })
  })
  if (!response.ok)
    throw new HolmError('HOLM_COMMAND_FAILED', `${list} answered ${response.status}`, { hint })
  const found = selectPublished(source, await response.text(), arch)
  if (found) return found
  throw new HolmError('HOLM_BASE_NOT_FOUND', `${list} names no file for ${arch}`, { hint })
}
