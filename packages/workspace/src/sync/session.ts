import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { HolmError } from '@holm/core'
import type { PluginApi } from '@holm/core'
import type { WorkspaceConfig } from '../options.ts'
import { syncBoth } from './both-ways.ts'
import type { Outcome, SyncInput } from './engine.ts'
import { syncBack, syncTo } from './one-way.ts'
import { createRemote } from './remote.ts'
import { createRsync } from './rsync.ts'
import { filterRules } from './rules.ts'
import { placesIn, type SyncPlaces } from './state.ts'
import type { Target } from './target.ts'
import { openTransport, type Reach } from './transport.ts'

export type Direction = 'to' | 'back' | 'both'

export interface SyncRequest {
  readonly direction: Direction
  /** Relative and plain; none: everything. */
  readonly paths?: readonly string[]
  readonly dryRun?: boolean
  readonly remove?: boolean
  readonly checksum?: boolean
  readonly compress?: boolean
  readonly signal: AbortSignal
}

type Api = PluginApi<WorkspaceConfig>

/** Opened once, used as often as wanted. */
export interface Session {
  run(request: SyncRequest): Promise<Outcome>
  close(): void
}

const directions: Readonly<Record<Direction, (input: SyncInput) => Promise<Outcome>>> = {
  to: syncTo,
  back: syncBack,
  both: syncBoth,
}

/** Ready to copy between a folder and an environment that runs. HOLM_TOOL_MISSING, HOLM_ENVIRONMENT_NOT_RUNNING. */
export async function openSession(
  api: Api,
  host: Reach,
  { target, signal }: { readonly target: Target; readonly signal: AbortSignal },
): Promise<Session> {
  const { environment, inside, local, name } = target
  const transport = await openTransport({ host, environment, inside, signal })
  const rsync = createRsync(api.runner, api.env)
  const places = syncPlaces(api, name)
  const run = async (request: SyncRequest): Promise<Outcome> => {
    const { paths = [], dryRun = false, remove = false, checksum = false } = request
    const { sync = {} } = api.config
    mkdirSync(places.folder, { recursive: true, mode: 0o700 })
    return directions[request.direction]({
      rsync,
      remote: createRemote({
        rsync,
        sh: transport.sh,
        address: `${transport.host}:${inside}`,
        args: [
          '--rsh',
          transport.rsh,
          `--timeout=${silenceSeconds}`,
          ...((request.compress ?? sync.compress) ? ['--compress'] : []),
        ],
        cwd: transport.folder,
        signal: request.signal,
        said: transport.said,
      }),
      local,
      places,
      environment: `${environment.createdAt ?? ''} ${inside} ${local}`,
      rules: filterRules(sync, paths),
      paths,
      dryRun,
      remove,
      checksum,
      signal: request.signal,
    })
  }
  return {
    run: (request) => holdSync(api, name, () => run(request)),
    close: () => transport.close(),
  }
}

/** An other side that says nothing for so long has stopped. */
const silenceSeconds = 300

/** One holm at a time: two would take each other's work for the user's. */
async function holdSync<Result>(api: Api, name: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await api.records('sync').hold(name, 'sync', work)
  } catch (error) {
    if ((error as { code?: string }).code !== 'HOLM_ENVIRONMENT_BUSY') throw error
    throw new HolmError('HOLM_ENVIRONMENT_BUSY', `another holm is synchronising ${name}`, {
      hint: 'Wait until it is done, or end it; a holm with --watch holds it only while it copies.',
      cause: error,
    })
  }
}

/** What holm keeps of an environment for synchronising. */
export function syncPlaces({ paths, namespace }: Api, name: string): SyncPlaces {
  return placesIn(join(paths.data, 'sync', namespace, name))
}
