import path from 'node:path'
import { notRunning } from '@holm/core'
import type { ExecRequest, Process, ProviderContext } from '@holm/core'
import { assertFolder, assertWords, entryArgv, entryEnvironment, resolveUser, spawnInside } from './exec.ts'
import { layersOf } from './launch.ts'
import { completeShare } from './layers.ts'
import { notFound } from './lock.ts'
import {
  folderOf,
  loadRecord,
  resolveLayout,
  type Backend,
  type Caller,
  type Holder,
  type Layout,
  type SandboxRecord,
} from './record.ts'
import { isRunning } from './state.ts'

export interface SandboxOptions {
  /** Folder for records, homes and layers, and one for unpacked bases. */
  readonly paths: { readonly data: string; readonly cache: string }
  readonly namespace: string
  /** Environment of holm: PATH to the tools, nothing of it is passed on. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly caller: Caller
  /** Only this backend, instead of the first that works. */
  readonly backend?: Backend
  /** macOS only: another program than /usr/bin/sandbox-exec. For tests. */
  readonly sandboxExec?: string
}

/** What the methods of one provider share. */
export interface Session {
  readonly options: SandboxOptions
  readonly layout: Layout
  /** Variables of the tools of this machine. */
  readonly toolEnv: Readonly<Record<string, string>>
  readonly folder: (name: string) => string
  /** HOLM_ENVIRONMENT_NOT_FOUND unless there is one. */
  readonly require: (name: string) => Promise<SandboxRecord>
  /** HOLM_ENVIRONMENT_NOT_RUNNING unless programs can be put into it. */
  readonly requireRunning: (name: string) => Promise<SandboxRecord & { readonly holder: Holder }>
  readonly exec: (
    record: SandboxRecord & { readonly holder: Holder },
    request: ExecRequest,
    ctx: ProviderContext,
  ) => Promise<Process>
}

export function createSession(options: SandboxOptions): Session {
  const layout = resolveLayout(options.paths.data, options.namespace)
  const toolPath = `${options.env['PATH'] ?? ''}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`
  const folder = (name: string): string => folderOf(layout, name)
  const require = async (name: string): Promise<SandboxRecord> => {
    const record = await loadRecord(folder(name))
    if (record === undefined) throw notFound(name)
    await completeShare(record, folder(name))
    return record
  }
  return {
    options,
    layout,
    toolEnv: { PATH: toolPath, LANG: 'C' },
    folder,
    require,
    requireRunning: async (name) => {
      const record = await require(name)
      if (isRunning(record) && record.paused === undefined) return record
      throw notRunning(name, { status: record.paused && isRunning(record) ? 'paused' : 'not running' })
    },
    exec: async (record, request, ctx) => {
      assertWords(request)
      const layers = record.base.kind === 'host' ? ['/'] : layersOf(record, folder(record.name))
      const account = resolveUser(record, layers, request.user)
      const entry = { request, account, folder: folder(record.name) }
      if (request.cwd !== undefined) assertFolder(record, record.holder, request.cwd)
      return spawnInside(entryArgv(record, record.holder, entry), entryEnvironment(record, entry, toolPath), {
        request,
        init: record.holder.init.pid,
        ctx,
      })
    },
  }
}

/** Group name of an environment on this machine: two data folders with one namespace do not meet. */
export function groupName(session: Session, name: string): string {
  let hash = 5381
  for (const character of session.layout.root) hash = ((hash * 33) ^ (character.codePointAt(0) ?? 0)) >>> 0
  return `${path.basename(session.layout.root)}-${name}-${hash.toString(36)}`
}
