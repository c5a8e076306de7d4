import path from 'node:path'
import { HolmError, notRunning } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { findContainer, type Container } from './container.ts'
import { parseRange, type IdMap } from './id-map.ts'
import { containerOf, folderOf, resolveLayout, type Layout } from './layout.ts'
import { withLock } from './lock.ts'
import { readText } from './processes.ts'
import { loadRecord, type LxcRecord } from './record.ts'
import { loadSnapshots } from './snapshot-files.ts'
import { isPaused } from './state.ts'
import type { TreeOptions } from './trees.ts'

export interface Caller {
  readonly uid: number
  readonly gid: number
  readonly name: string
}

export interface LxcSettings {
  /** Folder for records, layers and volumes, and one for unpacked bases. */
  readonly paths: { readonly data: string; readonly cache: string }
  readonly namespace: string
  /** Environment of holm: the way to the tools. Nothing of it is passed inside. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly caller: Caller
}

/** What the methods of one provider share. */
export interface Session {
  readonly settings: LxcSettings
  readonly layout: Layout
  /** Variables of this machine's tools. */
  readonly env: Readonly<Record<string, string>>
  readonly idMap: IdMap | undefined
  readonly trees: TreeOptions
  readonly trash: TreeOptions & { readonly trash: string }
  readonly folder: (name: string) => string
  readonly container: (name: string) => string
  /** HOLM_ENVIRONMENT_NOT_FOUND unless there is one. */
  readonly require: (name: string) => Promise<LxcRecord>
  /** HOLM_ENVIRONMENT_NOT_RUNNING unless programs can be put into it. */
  readonly requireRunning: (
    name: string,
  ) => Promise<{ readonly record: LxcRecord; readonly container: Container }>
  /** One changing call for an environment at a time. */
  readonly locked: <T>(
    name: string,
    options: { readonly waitMs?: number; readonly ctx: ProviderContext },
    work: () => Promise<T>,
  ) => Promise<T>
  /** One change of shared layers at a time. */
  readonly lockedLayers: <T>(ctx: ProviderContext, work: () => Promise<T>) => Promise<T>
  readonly listSnapshotLayers: (folder: string) => Promise<string[]>
}

const layersWaitMs = 120_000

export function createSession(settings: LxcSettings): Session {
  const layout = resolveLayout(settings.paths.data, settings.namespace)
  const env = {
    PATH: `${settings.env['PATH'] ?? ''}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    LANG: 'C',
    // Where LXC keeps its locks when it runs for an ordinary user.
    HOME: layout.root,
  }
  const idMap = settings.caller.uid === 0 ? undefined : loadIdMap(settings.caller)
  const folder = (name: string): string => folderOf(layout, name)
  const require = async (name: string): Promise<LxcRecord> => {
    const record = await loadRecord(folder(name))
    if (record === undefined) throw notFound(name)
    return record
  }
  const lockFile = (kind: string, name: string): string => path.join(layout.root, 'locks', `${kind}-${name}`)
  return {
    settings,
    layout,
    env,
    idMap,
    trees: { idMap, env },
    trash: { idMap, env, trash: layout.trash },
    folder,
    container: (name) => containerOf(layout, name),
    require,
    requireRunning: async (name) => {
      const record = await require(name)
      const container = findContainer(folder(name))
      if (container !== undefined && !isPaused(container)) return { record, container }
      throw notRunning(name, container === undefined ? {} : { status: 'paused' })
    },
    locked: (name, { waitMs = 0, ctx }, work) =>
      withLock(
        { file: lockFile('env', name), what: `environment ${name}`, waitMs, signal: ctx.signal },
        work,
      ),
    lockedLayers: (ctx, work) =>
      withLock(
        { file: lockFile('all', 'layers'), what: 'shared layers', waitMs: layersWaitMs, signal: ctx.signal },
        work,
      ),
    listSnapshotLayers: async (from) => (await loadSnapshots(from)).flatMap(({ layers }) => layers),
  }
}

/** Undefined when the machine gives this user no ids. */
export function loadIdMap(caller: Caller): IdMap | undefined {
  const uids = parseRange(readText('/etc/subuid'), caller)
  const gids = parseRange(readText('/etc/subgid'), caller)
  return uids && gids ? { uid: caller.uid, gid: caller.gid, uids, gids } : undefined
}

export function notFound(name: string): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', `no environment "${name}" in lxc`, {
    hint: 'Run `holm list` to see what there is.',
  })
}
