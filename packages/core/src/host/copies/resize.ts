import { HolmError } from '../../errors.ts'
import { requireFacet } from '../../facets.ts'
import type { CallOptions, EnvironmentInfo } from '../../host-api.ts'
import type { Resources } from '../../spec.ts'
import type { HostContext } from '../context.ts'
import { infoOf } from '../environment/info.ts'
import { findEnvironment } from '../environment/manage.ts'
import { providersWith } from './snapshots.ts'

/** New limits now, and in the record: a clone gets them, too. The blueprint stays the word of the next `--recreate`. */
export async function resizeEnvironment(
  host: HostContext,
  { environment, resources }: { readonly environment: string | undefined; readonly resources: Resources },
  options: CallOptions & { readonly projectFolder?: string },
): Promise<EnvironmentInfo> {
  assertResources(resources)
  const { record, provider, operation } = await findEnvironment(host, environment, options)
  const { resize } = requireFacet(provider, 'resize', providersWith(host, 'resize'))
  return host.state.locks.hold(record.name, 'resize', async () => {
    const state = await operation.step('resize', () => resize(record.name, resources, operation.context))
    const { details } = record
    const { spec } = details
    const next =
      spec === undefined
        ? record
        : {
            ...record,
            details: {
              ...details,
              spec: { ...spec, resources: { ...spec.resources, ...resources } },
              limits: state.limits,
            },
          }
    host.state.records.put(next)
    return infoOf(state, next)
  })
}

function assertResources(resources: Resources): void {
  const given = Object.entries(resources).filter(([, value]) => value !== undefined)
  if (given.length === 0) {
    throw new HolmError('HOLM_USAGE', 'no new limit was given', {
      hint: 'Say what shall change: --cpus, --memory, --disk or --pids.',
    })
  }
  for (const [key, value] of given) {
    if (typeof value === 'number' && value > 0) continue
    throw new HolmError('HOLM_USAGE', `${key} is ${String(value)}, which is no limit`, {
      hint: 'Give a number above zero.',
    })
  }
}
