import { isHolmError } from '@holm/core'
import type { ErrorCode, HostApi } from '@holm/core'
import type { CreateOptions, WorkspaceInfo, Workspaces } from '../api.ts'
import { workerName, workersOf } from './names.ts'

export interface Spawned {
  readonly worker: number
  readonly name: string
  readonly info?: WorkspaceInfo
  readonly error?: { readonly code: ErrorCode; readonly message: string; readonly hint?: string }
}

/**
 * Brings a repository to so many workers, all at once: those that are there are started, the others made. One that fails
 * stops none of the others.
 */
export async function spawnWorkers(
  workspaces: Workspaces,
  count: number,
  options: CreateOptions & { readonly repository: string },
): Promise<Spawned[]> {
  const { repository, ...given } = options
  const { signal } = options
  const records = workspaces.records()
  const known = new Set(records.map(({ name }) => name))
  const workers = workersOf(records, repository)
  const numbers = Array.from({ length: count }, (_, index) => index + 1)
  return Promise.all(
    numbers.map(async (worker) => {
      // One that was renamed is the same worker.
      const own = workers.find((each) => each.worker === worker)
      const name = own?.name ?? workerName(repository, worker)
      try {
        const info = known.has(name)
          ? await workspaces.start(name, { ...(signal && { signal }) })
          : await workspaces.create(name, { ...given, worker })
        return { worker, name, info }
      } catch (error) {
        return { worker, name, error: describeError(error) }
      }
    }),
  )
}

function describeError(error: unknown): NonNullable<Spawned['error']> {
  // A bug with one is no reason to leave the others half-made.
  if (!isHolmError(error)) return { code: 'HOLM_BUG', message: (error as Error).message }
  return { code: error.code, message: error.message, ...(error.hint !== undefined && { hint: error.hint }) }
}

/** Installs once what all of them need, where the blueprint installs anything and the provider can clone. */
export async function prepareImage(
  host: HostApi,
  { cwd, signal, blueprint, provider, docker }: CreateOptions,
): Promise<void> {
  const { spec } = await host.blueprints.show(blueprint, { cwd })
  const { packages, tools, setup, postInstall } = spec.provision
  const withDocker = docker === true || spec.nestedDocker === true
  if (!withDocker && packages.length + Object.keys(tools).length + setup.length + postInstall.length === 0)
    return
  try {
    await host.build({
      cwd,
      ...(signal && { signal }),
      ...(blueprint !== undefined && { blueprint }),
      ...(provider !== undefined && { provider }),
      ...(docker === true && { docker }),
    })
  } catch (error) {
    if (!isHolmError(error, 'HOLM_FACET_UNSUPPORTED')) throw error
  }
}
