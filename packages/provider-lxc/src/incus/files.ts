import path from 'node:path'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { HolmError, assertNotAborted } from '@holm/core'
import type { FilesFacet, Process, ProviderContext } from '@holm/core'
import { collectText } from '../files.ts'
import { execInside } from './exec.ts'
import { handOver } from './hand-over.ts'
import type { Instance } from './record.ts'
import type { IncusSession } from './session.ts'
import { visit } from './visit.ts'

/** tar streams through the environment's own tar, so that mounts and links are as inside. One that is stopped is looked into for that time. */
export function createFiles(session: IncusSession): FilesFacet {
  const tar = (
    instance: Instance,
    words: readonly string[],
    { stdin, ctx }: { stdin: 'pipe' | 'ignore'; ctx: ProviderContext },
  ): Promise<Process> =>
    execInside(session, instance, {
      request: { argv: ['tar', ...words], cwd: '/', user: 'root', stdin },
      ctx,
    })
  return {
    put: (name, { path: target, tar: source }, ctx) =>
      visit(session, name, {
        ctx,
        work: async (instance) => {
          const process = await tar(instance, ['-x', '-p', '-f', '-', '-C', target], { stdin: 'pipe', ctx })
          process.stdout.resume()
          const errors = collectText(process.stderr)
          if (process.stdin) await feed(source, process.stdin, ctx.signal)
          await assertDone(process, { target, errors, ctx })
        },
      }),
    async *get(name, given, ctx) {
      const target = path.posix.normalize(given).replace(/(.)\/$/, '$1')
      const words = [
        '-c',
        '-f',
        '-',
        '-C',
        path.posix.dirname(target),
        '--',
        path.posix.basename(target) || '.',
      ]
      yield* handOver((take) =>
        visit(session, name, {
          ctx,
          work: async (instance) => {
            const process = await tar(instance, words, { stdin: 'ignore', ctx })
            const errors = collectText(process.stderr)
            const held: Uint8Array[] = []
            let sent = false
            for await (const chunk of process.stdout as AsyncIterable<Uint8Array>) {
              // A tar of nothing is written, too, before the error is known.
              sent ||= chunk.some((byte) => byte !== 0)
              if (sent) await take(chunk)
              else held.push(chunk)
            }
            await assertDone(process, { target, errors, ctx })
            for (const chunk of held) await take(chunk)
          },
        }),
      )
    },
  }
}

/** A tar that has ended early says why itself. */
async function feed(source: AsyncIterable<Uint8Array>, stdin: Writable, signal: AbortSignal): Promise<void> {
  await pipeline(Readable.from(source, { objectMode: false }), stdin, { signal }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE' && !signal.aborted) throw error
  })
}

async function assertDone(
  process: Process,
  {
    target,
    errors,
    ctx,
  }: { readonly target: string; readonly errors: Promise<string>; readonly ctx: ProviderContext },
): Promise<void> {
  const { code } = await process.exited
  assertNotAborted(ctx.signal)
  if (code === 0) return
  const text = (await errors).trim().slice(-2000)
  const missing = /No such file|not found in archive|Cannot (?:open|stat|chdir)|can't/i.test(text)
  throw new HolmError(missing ? 'HOLM_USAGE' : 'HOLM_COMMAND_FAILED', `tar of ${target} failed: ${text}`, {
    hint: 'Name a path that exists inside.',
    details: { path: target },
  })
}
