import { dirname, parse } from 'node:path'
import { HolmError } from '../../errors.ts'
import { nearNames } from '../did-you-mean.ts'
import type { HostContext } from '../context.ts'
import { resolveFolder } from '../real-folder.ts'
import type { EnvironmentRecord } from '../state/index.ts'

/**
 * The record of a name, or of the environment that belongs to a folder or its nearest parent that has one.
 * HOLM_ENVIRONMENT_NOT_FOUND with near names; several in one folder are HOLM_BLUEPRINT_AMBIGUOUS.
 */
export function findRecord(
  host: HostContext,
  name: string | undefined,
  folder: string | undefined,
): EnvironmentRecord {
  return name === undefined
    ? ofFolder(host, resolveFolder(folder ?? host.cwd, 'HOLM_ENVIRONMENT_NOT_FOUND'))
    : ofName(host, name)
}

function ofName(host: HostContext, name: string): EnvironmentRecord {
  const record = host.state.records.get(name)
  if (record) return record
  throw notFound(host, name)
}

export function notFound(host: HostContext, name: string): HolmError {
  const [near] = nearNames(
    name,
    host.state.records.list().map((record) => record.name),
    1,
  )
  return new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', `there is no environment ${name}`, {
    hint: near === undefined ? 'See what there is with: holm list' : `Did you mean ${near}?`,
    details: { name },
  })
}

function ofFolder(host: HostContext, folder: string): EnvironmentRecord {
  for (const parent of parentsOf(folder)) {
    const [record, ...others] = host.state.records.ofProject(parent)
    if (record === undefined) continue
    if (others.length === 0) return record
    const names = [record, ...others].map((each) => each.name)
    throw new HolmError(
      'HOLM_BLUEPRINT_AMBIGUOUS',
      `several environments belong to ${parent}: ${names.join(', ')}`,
      {
        hint: `Name one, for example ${names[0]}.`,
        details: { choices: names },
      },
    )
  }
  throw new HolmError('HOLM_ENVIRONMENT_NOT_FOUND', `no environment belongs to ${folder}`, {
    hint: 'Bring one up with: holm up',
    details: { folder },
  })
}

function parentsOf(folder: string): string[] {
  const parent = dirname(folder)
  return folder === parse(folder).root ? [folder] : [folder, ...parentsOf(parent)]
}
