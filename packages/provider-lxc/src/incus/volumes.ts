import { isHolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { isMissing } from './api-errors.ts'
import type { BuildInput } from './build.ts'
import { key, volumeName } from './names.ts'
import type { IncusSession } from './session.ts'

export interface Volume {
  readonly pool: string
  readonly name: string
}

/** Makes those of the record that are not there yet; returns these. */
export async function createVolumes(
  session: IncusSession,
  { record, pool }: BuildInput,
  ctx: ProviderContext,
): Promise<readonly Volume[]> {
  const made: Volume[] = []
  for (const [index, mount] of record.mounts.entries()) {
    if (mount.type !== 'volume') continue
    const { source } = mount
    const name = volumeName(session.namespace, {
      name: record.name,
      index,
      ...(source === undefined ? {} : { source }),
    })
    const body = {
      name,
      type: 'custom',
      config: { [key.namespace]: session.namespace },
      description: `holm volume ${source ?? record.name}`,
    }
    try {
      await session
        .client()
        .change(
          { method: 'POST', path: `/1.0/storage-pools/${pool}/volumes/custom`, body },
          { action: `make the volume ${source ?? index}` },
        )
      made.push({ pool, name })
    } catch (error) {
      if (!isHolmError(error, 'HOLM_ENVIRONMENT_CONFLICT')) {
        await removeVolumes(session, made)
        throw error
      }
    }
    if (ctx.signal.aborted) break
  }
  return made
}

/** One that somebody else uses stays. */
export async function removeVolumes(session: IncusSession, volumes: readonly Volume[]): Promise<void> {
  for (const { pool, name } of volumes) {
    const path = `/1.0/storage-pools/${pool}/volumes/custom/${name}`
    await session
      .client()
      .change({ method: 'DELETE', path }, { action: `remove the volume ${name}` })
      .catch((error: unknown) => {
        const used = /in use|used by/i.test(error instanceof Error ? error.message : '')
        if (!used && !isMissing(error)) throw error
      })
  }
}
