import { HolmError, assertNotAborted } from '@holm/core'
import type { ExportFacet } from '@holm/core'
import { collectText } from './files.ts'
import { withRoot } from './layers.ts'
import { assertReady, loadWhole } from './lifecycle.ts'
import type { Session } from './session.ts'
import { xattrWords } from './trees.ts'

/**
 * This machine's tar over a second, read-only view of the layers, in which no mount of the environment is: the same for a running and a
 * stopped one, and nothing of the base is executed.
 */
export function createExport(session: Session): ExportFacet {
  return {
    async *rootfs(name, ctx) {
      assertNotAborted(ctx.signal)
      assertReady(await session.require(name))
      const record = await loadWhole(session, name, ctx)
      const process = await ctx.runner.spawn([...withRoot(record, false), ...tarWords], {
        cwd: session.folder(name),
        env: session.env,
        signal: ctx.signal,
      })
      const errors = collectText(process.stderr)
      yield* process.stdout as AsyncIterable<Uint8Array>
      const { code } = await process.exited
      assertNotAborted(ctx.signal)
      // 1: a file changed while it was read, which a running environment may do.
      if (code <= 1) return
      throw new HolmError(
        'HOLM_COMMAND_FAILED',
        `cannot export ${name}: ${(await errors).trim().slice(-2000)}`,
      )
    },
  }
}

const tarWords = [
  'tar',
  '--create',
  '--file=-',
  '--numeric-owner',
  '--one-file-system',
  '--sparse',
  ...xattrWords,
  '--directory=root',
  '--exclude=./proc/*',
  '--exclude=./sys/*',
  '--exclude=./dev/*',
  '.',
]
