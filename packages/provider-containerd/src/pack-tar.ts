import { HolmError, abortError } from '@holm/core'
import type { ProviderContext } from '@holm/core'

export interface PackRequest {
  /** Folder of this machine. */
  readonly folder: string
  /** Name in it; the top entry of the archive. */
  readonly entry: string
  readonly ctx: ProviderContext
  /** Leaves out what is mounted below. */
  readonly oneFileSystem?: boolean
  readonly exclude?: readonly string[]
}

/** A tar stream made by this machine's own tar, which follows no link that it packs. */
export async function* packTar(request: PackRequest): AsyncGenerator<Uint8Array, void> {
  const { folder, entry, ctx } = request
  const words = [
    'tar',
    '--create',
    '--numeric-owner',
    '--format=posix',
    '--pax-option=delete=atime,delete=ctime',
    // What users set, and the rights of programs: the rest is this machine's own.
    '--xattrs',
    '--xattrs-include=user.*',
    '--xattrs-include=security.capability',
    ...(request.oneFileSystem ? ['--one-file-system'] : []),
    ...(request.exclude ?? []).map((pattern) => `--exclude=${pattern}`),
    '--directory',
    folder,
    '--',
    entry,
  ]
  const tar = await ctx.runner.spawn(words, { signal: ctx.signal })
  const errors: Buffer[] = []
  tar.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  let isRead = false
  try {
    for await (const chunk of tar.stdout) yield chunk as Uint8Array
    isRead = true
  } finally {
    if (!isRead) await tar.kill('SIGKILL')
  }
  const { code } = await tar.exited
  if (ctx.signal.aborted) throw abortError(ctx.signal)
  // 1: a file changed while it was read, which in a running environment is nothing wrong.
  if (code > 1)
    throw new HolmError(
      'HOLM_ENVIRONMENT_FAILED',
      `its files could not be packed: ${Buffer.concat(errors).toString('utf8').trim()}`,
      { hint: 'Try again, or stop the environment first.' },
    )
}
