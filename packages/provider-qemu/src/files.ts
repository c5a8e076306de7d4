import { once } from 'node:events'
import { HolmError, abortError } from '@holm/core'
import type { ExportFacet, FilesFacet, Process, ProviderContext } from '@holm/core'
import { execInside } from './exec.ts'
import { openMachine, withMachine } from './lifecycle.ts'
import { agentOf, type Session } from './session.ts'

/** The environment's own tar does the work, in a machine that is booted for it where none runs. */
export function createFiles(session: Session): FilesFacet {
  return {
    put: (name, { path, tar }, ctx) =>
      withMachine(session, name, {
        ctx,
        action: async (record) => {
          const argv = ['tar', '-x', '-p', '-f', '-', '-C', path]
          const process = await execInside(agentOf(record), { argv, cwd: '/', stdin: 'pipe' }, ctx)
          process.stdout.resume()
          const errors = collectText(process)
          await feed(process, tar)
          const { code } = await process.exited
          if (code !== 0) throw tarError('put files into', path, await errors)
        },
      }),
    get: (name, path, ctx) => readFiles(session, name, { path, ctx }),
  }
}

async function* readFiles(
  session: Session,
  name: string,
  { path, ctx }: { readonly path: string; readonly ctx: ProviderContext },
): AsyncGenerator<Uint8Array> {
  const { record, close } = await openMachine(session, name, ctx)
  try {
    const plain = path.replace(/(.)\/+$/, '$1')
    const script =
      '[ -e "$1" ] || [ -h "$1" ] || exit 44; cd -- "$(dirname -- "$1")" && exec tar -c -f - -- "$(basename -- "$1")"'
    const argv = ['sh', '-c', script, 'sh', plain]
    const process = await execInside(agentOf(record), { argv, cwd: '/' }, ctx)
    const errors = collectText(process)
    yield* readAll(process, ctx)
    const { code } = await process.exited
    if (code === 44)
      throw new HolmError('HOLM_USAGE', `there is no ${path} in environment ${name}`, {
        hint: 'Name a file or folder that exists inside.',
      })
    if (code !== 0) throw tarError('read', path, await errors)
  } finally {
    await close()
  }
}

export function createExport(session: Session): ExportFacet {
  return { rootfs: (name, ctx) => exportFiles(session, name, ctx) }
}

/**
 * Of one file system: what is mounted is left out, and with it /proc, /sys, /dev and /run. It begins at the dot, for tar goes into
 * a mount that it is given by name. A tar that cannot keep to one file system (that of busybox) is told the mounts.
 */
const exportScript = `cd / || exit 1
if tar --one-file-system --version >/dev/null 2>&1; then
  exec tar -c -f - --one-file-system --numeric-owner --sort=name --xattrs --warning=no-file-ignored .
fi
while read -r _device place _rest; do
  [ "$place" = / ] || printf '.%s/*\\n' "$place"
done < /proc/mounts > /run/holm-mounts
exec tar -c -f - -X /run/holm-mounts .`

async function* exportFiles(
  session: Session,
  name: string,
  ctx: ProviderContext,
): AsyncGenerator<Uint8Array> {
  const { record, close } = await openMachine(session, name, ctx)
  try {
    const process = await execInside(agentOf(record), { argv: ['sh', '-c', exportScript], cwd: '/' }, ctx)
    const errors = collectText(process)
    yield* readAll(process, ctx)
    const { code } = await process.exited
    if (ctx.signal.aborted) throw abortError(ctx.signal)
    // 1: a file changed while it was read, which is what files of running programs do.
    if (code > 1) throw tarError('export', '/', await errors)
  } finally {
    await close()
  }
}

/** The output; a reader that goes away, or an abort, ends the program. */
async function* readAll(process: Process, { signal }: ProviderContext): AsyncGenerator<Uint8Array> {
  let ended = false
  try {
    for await (const chunk of process.stdout) {
      if (signal.aborted) throw abortError(signal)
      yield chunk as Uint8Array
    }
    ended = true
  } finally {
    if (!ended) await process.kill('SIGKILL').catch(() => undefined)
  }
}

async function feed(process: Process, tar: AsyncIterable<Uint8Array>): Promise<void> {
  const { stdin } = process
  if (stdin === null) return
  for await (const chunk of tar) {
    if (stdin.destroyed) break
    if (!stdin.write(chunk)) await Promise.race([once(stdin, 'drain'), process.exited])
  }
  stdin.end()
}

async function collectText({ stderr }: Process): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stderr) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

function tarError(what: string, path: string, text: string): HolmError {
  const last = text.trim().split('\n').slice(-2).join('; ')
  if (/No space left/.test(text))
    return new HolmError('HOLM_DISK_FULL', `no space left in the environment: ${last}`, {
      hint: 'Give it a larger disk.',
    })
  return new HolmError('HOLM_USAGE', `cannot ${what} ${path}: ${last}`, {
    hint: 'Name a folder that exists inside.',
  })
}
