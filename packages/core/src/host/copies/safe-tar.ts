import { TarDamage, watchTar } from '../tar/entries.ts'
import { createGuard } from '../tar/guard.ts'
import { damaged } from './archive.ts'

/**
 * Passes a tar of files on. HOLM_BASE_INVALID for one that is damaged, and for one that could reach outside of the folder
 * it is unpacked into, or bring devices: no file system that holm exports has such entries, and not every unpacker refuses them.
 */
export async function* safeTar(part: string, source: AsyncIterable<Uint8Array>): AsyncIterable<Buffer> {
  try {
    yield* watchTar(source, createGuard())
  } catch (error) {
    throw error instanceof TarDamage ? damaged(`${part}: ${error.message}`) : error
  }
}
