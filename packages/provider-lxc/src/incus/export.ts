import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { HolmError, assertNotAborted } from '@holm/core'
import type { ExportFacet, ProviderContext } from '@holm/core'
import { collectText } from '../files.ts'
import { diskFull } from '../files-on-disk.ts'
import type { Client } from './client.ts'
import { runInside } from './exec.ts'
import { handOver } from './hand-over.ts'
import { parseRecord, type Instance } from './record.ts'
import { pathOf, type IncusSession } from './session.ts'
import { parseShifts, rewriteTar } from './tar-strip.ts'
import { visit } from './visit.ts'

const exportMs = 600_000

/** The environment's own tar, which takes a tenth of the time that the daemon's backup does; that one where a base has no GNU tar. */
export function createExport(session: IncusSession): ExportFacet {
  return {
    async *rootfs(name, ctx) {
      assertNotAborted(ctx.signal)
      const all = handOver((take) =>
        visit(session, name, {
          ctx,
          work: async (instance) => {
            const able = await hasGnuTar(session, instance, ctx)
            const source = able ? exportInside(session, instance, ctx) : exportBackup(session, instance, ctx)
            for await (const chunk of source) await take(chunk)
          },
        }),
      )
      for await (const chunk of all) {
        yield chunk
        assertNotAborted(ctx.signal)
      }
    },
  }
}

async function hasGnuTar(session: IncusSession, instance: Instance, ctx: ProviderContext): Promise<boolean> {
  const { output } = await runInside(session, instance, { script: 'tar --version 2>/dev/null', ctx })
  return output.includes('GNU tar')
}

const tarWords = [
  'tar',
  '--create',
  '--file=-',
  '--numeric-owner',
  '--one-file-system',
  '--sparse',
  '--no-wildcards',
  '--anchored',
]

interface Recorded {
  readonly return?: number
  readonly output?: Readonly<Record<string, string>>
}

/** tar writes into a file of the daemon's, which then sends it: piece by piece through a program's streams it would take far longer. */
async function* exportInside(
  session: IncusSession,
  instance: Instance,
  ctx: ProviderContext,
): AsyncIterable<Uint8Array> {
  const client = session.client()
  const { name, mounts } = parseRecord(instance)
  // Also what lies on the same disk as the root.
  const mounted = mounts.map(({ target }) => `--exclude=.${path.posix.normalize(target).replace(/\/+$/, '')}`)
  const body = { command: [...tarWords, ...mounted, '--directory=/', '.'], 'record-output': true }
  const call = { method: 'POST', path: pathOf(instance.name, '/exec'), body } as const
  const { return: code = -1, output = {} } = await client.change<Recorded>(call, {
    action: `export ${name}`,
    timeoutMs: exportMs,
  })
  try {
    assertNotAborted(ctx.signal)
    // 1: a file changed while it was read, which a running environment may do.
    if (code < 0 || code > 1) throw exportError(name, await readText(client, output['2'], ctx))
    yield* await client.stream(output['1'] ?? '', { signal: ctx.signal })
  } finally {
    for (const file of Object.values(output))
      await client.change({ method: 'DELETE', path: file }).catch(() => undefined)
  }
}

async function readText(
  client: Client,
  file: string | undefined,
  { signal }: ProviderContext,
): Promise<string> {
  return file === undefined ? '' : collectText(await client.stream(file, { signal }))
}

function exportError(name: string, text: string): HolmError {
  const message = `cannot export ${name}: ${text.trim().slice(-2000)}`
  return /No space left|quota/i.test(text)
    ? diskFull(message)
    : new HolmError('HOLM_COMMAND_FAILED', message, {
        hint: 'Run `holm doctor` to see what this machine allows.',
      })
}

const prefix = 'backup/container/rootfs'

/** Of the daemon's backup only the root filesystem is passed on: nothing that is mounted is in it. */
async function* exportBackup(
  session: IncusSession,
  { name, config }: Instance,
  ctx: ProviderContext,
): AsyncIterable<Uint8Array> {
  const client = session.client()
  const backup = `holm-${randomBytes(6).toString('hex')}`
  const at = pathOf(name, `/backups/${backup}`)
  const body = { name: backup, instance_only: true, optimized_storage: false, compression_algorithm: 'none' }
  try {
    const call = { method: 'POST', path: pathOf(name, '/backups'), body } as const
    await client.change(call, { action: `export ${name}`, timeoutMs: exportMs })
    assertNotAborted(ctx.signal)
    const stream = await client.stream(`${at}/export`, { signal: ctx.signal })
    const shifts = parseShifts(config['volatile.last_state.idmap'] ?? '[]')
    yield* rewriteTar(stream, { prefix, shifts, keep: (file) => !/^(?:proc|sys|dev)\/./.test(file) })
  } finally {
    await client.change({ method: 'DELETE', path: at }, { action: 'remove a backup' }).catch(() => undefined)
  }
}
