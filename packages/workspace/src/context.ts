import { HolmError, isHolmError } from '@holm/core'
import type { CallOptions, EnvironmentInfo, HostApi, Logger, PluginRecords } from '@holm/core'
import type { Git } from './git.ts'
import type { WorkspaceConfig } from './options.ts'
import type { WorkspaceRecord } from './record.ts'

export interface WorkspaceContext {
  readonly host: HostApi
  readonly git: Git
  readonly records: PluginRecords<WorkspaceRecord>
  readonly config: WorkspaceConfig
  readonly log: Logger
}

export function findRecord(records: PluginRecords<WorkspaceRecord>, name: string): WorkspaceRecord {
  const record = records.get(name)
  if (record !== undefined) return record
  const names = records.list().map((each) => each.name)
  throw new HolmError('HOLM_WORKSPACE_NOT_FOUND', `there is no workspace ${JSON.stringify(name)}`, {
    hint: names.length === 0 ? 'Make one: holm workspace create NAME' : `There are: ${names.join(', ')}`,
    details: { name },
  })
}

export async function environmentOf(
  host: HostApi,
  name: string,
  options: CallOptions,
): Promise<EnvironmentInfo | undefined> {
  try {
    return await host.status(name, options)
  } catch (error) {
    if (isHolmError(error, 'HOLM_ENVIRONMENT_NOT_FOUND')) return undefined
    throw error
  }
}

export async function destroyIfThere(
  host: HostApi,
  name: string,
  options: Parameters<HostApi['destroy']>[1] = {},
): Promise<void> {
  if ((await environmentOf(host, name, options)) !== undefined) await host.destroy(name, options)
}
