import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { HolmError, assertNotAborted } from '@holm/core'
import type { Mount, ProviderContext } from '@holm/core'
import { mapInside } from './folders.ts'
import type { MemoryRuntime } from './runtime.ts'

/** Everything of the environment's folder but the links that stand for mounts. */
export async function* exportRootfs(
  runtime: MemoryRuntime,
  name: string,
  ctx: ProviderContext,
): AsyncIterable<Uint8Array> {
  await runtime.enter('export.rootfs', ctx, name)
  assertNotAborted(ctx.signal)
  const { id, mounts } = await runtime.find(name)
  const files = runtime.folders.filesOf(id)
  const paths = await listPaths(files, mounts)
  const options = '--numeric-owner --no-recursion --null -T -'.split(' ')
  const child = await ctx.runner.spawn(['tar', '-cf', '-', '-C', files, ...options], {
    stdin: 'pipe',
    signal: ctx.signal,
  })
  child.stderr.resume()
  const feeding = child.stdin
    ? pipeline([paths.map((path) => `${path}\0`).join('')], child.stdin).catch(() => undefined)
    : undefined
  yield* child.stdout as AsyncIterable<Uint8Array>
  await feeding
  const { code } = await child.exited
  assertNotAborted(ctx.signal)
  if (code !== 0) throw new HolmError('HOLM_COMMAND_FAILED', `tar ended with ${code}`)
}

async function listPaths(files: string, mounts: readonly Mount[]): Promise<string[]> {
  const left = new Set(mounts.map(({ target }) => mapInside(files, target)))
  const entries = await readdir(files, { recursive: true, withFileTypes: true })
  return entries
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !left.has(path))
    .map((path) => `.${path.slice(files.length)}`)
}
