import { HolmError } from '../../errors.ts'
import type { CompanionInfo, Companions } from '../../host-api.ts'
import type { EnvironmentState } from '../../provider.ts'
import type { HostContext } from '../context.ts'
import { inspect } from '../environment/ask.ts'
import { execIn } from '../environment/exec.ts'
import { findRecord } from '../environment/find.ts'
import { infoOf } from '../environment/info.ts'
import { readLogs } from '../environment/manage.ts'
import type { Operation } from '../operation.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { companionRecords } from './records.ts'
import { companionName, type CompanionRequest } from './spec.ts'
import { raiseCompanion, type Raising } from './up.ts'

/** The companions of one environment; each call looks anew. */
export function createCompanions(host: HostContext, environment: string, operation: Operation): Companions {
  const { signal } = operation
  const named = (service: string): string => companionName(environment, service)
  return {
    async list() {
      const { name } = findRecord(host, environment, undefined)
      const infos = await Promise.all(
        companionRecords(host, name).map((record) => lookAt(host, record, operation)),
      )
      return infos.filter((info) => info !== undefined)
    },
    async up(service) {
      const { record, state } = await raiseCompanion(
        await raisingOf(host, { environment, service }, operation),
      )
      return companionInfo(record, state)
    },
    async stop(service) {
      const record = host.state.records.get(named(service))
      if (record === undefined || record.details.partOf?.environment !== environment) return
      const provider = await host.provider(record.provider)
      const graceMs = host.config.values['stop.grace']
      await host.state.locks.holdWaiting(record.name, 'stop', async () => {
        host.state.records.put({ ...record, details: { ...record.details, halted: true } })
        await provider.stop(record.name, { graceMs }, operation.context)
      })
    },
    exec: (service, request) => execIn(host, { ...request, environment: named(service), signal }),
    logs: (service, options) => readLogs(host, named(service), { ...options, signal }),
  }
}

async function raisingOf(
  host: HostContext,
  { environment, service: wanted }: { readonly environment: string; readonly service: string },
  operation: Operation,
): Promise<Raising> {
  const record = findRecord(host, environment, undefined)
  const owner = record.details.spec
  const service = owner?.services.find(({ name }) => name === wanted)
  if (owner === undefined || service?.container === undefined) {
    throw new HolmError('HOLM_SERVICE_NOT_FOUND', `${environment} has no service ${wanted} from an image`, {
      hint: `See what it has: holm service list -e ${environment}`,
      details: { environment, service: wanted },
    })
  }
  const request: CompanionRequest = {
    namespace: host.namespace,
    owner,
    service,
    container: service.container,
  }
  const provider = await host.provider(record.provider)
  return { host, name: environment, provider, operation, request }
}

/** Undefined for one that was removed outside holm, which is forgotten. */
async function lookAt(
  host: HostContext,
  record: EnvironmentRecord,
  operation: Operation,
): Promise<CompanionInfo | undefined> {
  const provider = await host.provider(record.provider)
  const state = await inspect(provider, record.name, operation)
  if (state.status !== 'absent') return companionInfo(record, state)
  if (host.state.locks.holder(record.name) === undefined) host.state.records.remove(record.name)
  return undefined
}

function companionInfo(record: EnvironmentRecord, state: EnvironmentState): CompanionInfo {
  return {
    ...infoOf(state, record),
    service: record.details.partOf?.service ?? '',
    exitCode: state.exitCode,
    restarts: state.restarts ?? 0,
    halted: record.details.halted === true,
  }
}
