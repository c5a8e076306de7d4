import { HolmError } from '../../errors.ts'
import type { CheckOptions } from '../../host-api.ts'
import type { Process } from '../../process.ts'
import type { CommandSpec } from '../../spec.ts'
import type { HostContext } from '../context.ts'
import { commandArgv } from '../provision/index.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import { execIn } from './exec.ts'
import { findRecord } from './find.ts'
import { hasOwnSource, loadSource } from './source.ts'

/** Starts the check of the environment's blueprint in it, as `exec` starts any program. */
export async function checkIn(host: HostContext, options: CheckOptions): Promise<Process> {
  const { environment, projectFolder, ...call } = options
  const record = findRecord(host, environment, projectFolder)
  const check = await findCheck(host, record)
  if (check === undefined) throw noCheck(record)
  return execIn(host, { ...call, environment: record.name, argv: commandArgv(check), stdin: 'ignore' })
}

/** As the blueprint has it now: a corrected check needs no new `up`. A copy has that of its origin. */
async function findCheck(host: HostContext, record: EnvironmentRecord): Promise<CommandSpec | undefined> {
  if (!hasOwnSource(record)) return record.details.check
  return (await loadSource(host, record)).check
}

function noCheck({ name, source, details: { blueprint } }: EnvironmentRecord): HolmError {
  return new HolmError('HOLM_USAGE', `environment ${name} has no check: ${blueprint} declares none`, {
    hint: 'Add `check:` to the blueprint: a command whose success shows that the environment works.',
    details: { name, source },
  })
}
