import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { HolmError, isHolmError } from '../../errors.ts'
import type { Runner } from '../../process.ts'
import { decompress } from '../tar/compression.ts'
import { TarDamage, watchTar } from '../tar/entries.ts'
import { createGuard } from '../tar/guard.ts'

/**
 * HOLM_BASE_INVALID for a tarball that is damaged, could reach outside of the folder it is unpacked into, or brings devices
 * elsewhere than in /dev. Read once, before any runtime sees it: each of them refuses other things, and some only half-way.
 */
export async function assertSafeRootfs(path: string, runner: Runner): Promise<void> {
  try {
    for await (const _piece of watchTar(await unpacked(path, runner), createGuard({ devices: true })));
  } catch (error) {
    if (!(error instanceof TarDamage)) throw error
    throw new HolmError('HOLM_BASE_INVALID', `${path} cannot be used: ${error.message}`, {
      hint: 'Give a whole tar archive of a root filesystem, with relative paths.',
      details: { path },
    })
  }
}

const programs: Readonly<Record<string, string>> = { fd377a58: 'xz', '425a68': 'bzip2' }

async function unpacked(path: string, runner: Runner): Promise<AsyncIterable<Uint8Array>> {
  const head = await firstBytes(path)
  const program = Object.entries(programs).find(([bytes]) => head.startsWith(bytes))?.[1]
  const plain = createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Uint8Array>
  return program === undefined ? decompress(plain) : throughProgram([program, '-dc', '--', path], runner)
}

async function firstBytes(path: string): Promise<string> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0)
    return buffer.toString('hex', 0, bytesRead)
  } finally {
    await file.close()
  }
}

async function* throughProgram(argv: readonly string[], runner: Runner): AsyncIterable<Uint8Array> {
  const { stdout, stderr, exited } = await runner.spawn(argv, {}).catch((cause: unknown) => {
    if (isHolmError(cause, 'HOLM_TOOL_MISSING')) throw new TarDamage(`${argv[0]} is needed to unpack it`)
    throw cause
  })
  stderr.resume()
  yield* stdout as AsyncIterable<Uint8Array>
  const { code } = await exited
  if (code !== 0) throw new TarDamage('its compression is broken')
}
