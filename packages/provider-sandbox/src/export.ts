import path from 'node:path'
import { HolmError, assertNotAborted } from '@holm/core'
import type { ExportFacet, Process, ProviderContext } from '@holm/core'
import { overlayPrefix } from './files.ts'
import type { SandboxRecord } from './record.ts'
import type { Session } from './session.ts'
import { isRunning } from './state.ts'

/**
 * This machine's tar on the layers as one tree, seen where no mount of the environment is: for a running one that is the
 * namespace that the launch began in: the tree is mounted there already.
 */
export function createExport(session: Session): ExportFacet {
  return {
    async *rootfs(name: string, ctx: ProviderContext) {
      assertNotAborted(ctx.signal)
      const record = await session.require(name)
      assertOwnFiles(record)
      const process = await startTar(session, record, ctx)
      let said = ''
      process.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)))
      yield* process.stdout as AsyncIterable<Uint8Array>
      const { code } = await process.exited
      assertNotAborted(ctx.signal)
      // 1: a file changed while it was read, which a running environment may do.
      if (code > 1) throw new HolmError('HOLM_COMMAND_FAILED', `cannot export ${name}: ${said.trim()}`)
    },
  }
}

function assertOwnFiles({ name, base }: SandboxRecord): void {
  if (base.kind !== 'host') return
  throw new HolmError(
    'HOLM_BLUEPRINT_UNSUPPORTED',
    `environment ${name} has no root filesystem of its own: its base is this machine`,
    { hint: 'Use a base of its own, for example `base: debian-12`.' },
  )
}

function startTar(session: Session, record: SandboxRecord, ctx: ProviderContext): Promise<Process> {
  const folder = session.folder(record.name)
  const options = { cwd: folder, env: session.toolEnv, signal: ctx.signal }
  return ctx.runner.spawn([...viewOf(record), ...tarWords(path.join(folder, 'root'))], options)
}

/** Words that let what follows see the tree at `root`. */
function viewOf(record: SandboxRecord): readonly string[] {
  if (record.layer === 'copy') return []
  if (!isRunning(record)) return overlayPrefix(record)
  const { monitor, anchor } = record.holder
  const user =
    record.caller.uid === 0 ? [] : [`--user=/proc/${monitor.pid}/ns/user`, '--preserve-credentials']
  return ['nsenter', `--mount=/proc/${anchor.pid}/ns/mnt`, ...user, '--']
}

function tarWords(root: string): readonly string[] {
  return [
    'tar',
    '--create',
    '--file=-',
    '--numeric-owner',
    '--one-file-system',
    '--xattrs',
    '--xattrs-include=user.*',
    '--xattrs-include=security.capability',
    '--anchored',
    '--exclude=./proc/*',
    '--exclude=./sys/*',
    '--exclude=./dev/*',
    '--warning=no-file-changed',
    `--directory=${root}`,
    '.',
  ]
}
