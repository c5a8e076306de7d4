import { createHash } from 'node:crypto'
import { HolmError } from '../../errors.ts'
import { assertEnvironmentName, slugify } from '../blueprint/environment-name.ts'
import type { EnvironmentRecord } from '../state/index.ts'
import type { Records } from '../state/records.ts'

export interface NameRequest {
  /** What the user asked for with --name. */
  readonly wanted: string | undefined
  readonly defaultName: string
  readonly project: string
  readonly source: string
}

export interface ChosenName {
  readonly name: string
  readonly record: EnvironmentRecord | undefined
}

/**
 * The name of the environment that a blueprint in a project means: the one it already has, else the default, else (where
 * another project took that) the default with four characters of this project's hash.
 */
export function chooseName(records: Records, request: NameRequest): ChosenName {
  if (request.wanted !== undefined) return chooseWanted(records, request, request.wanted)
  const own = records.ofProject(request.project).find((record) => record.source === request.source)
  if (own) return { name: own.name, record: own }
  const name = slugify(request.defaultName)
  if (records.get(name) === undefined) return { name, record: undefined }
  const suffix = createHash('sha256')
    .update(`${request.project}\0${request.source}`)
    .digest('hex')
    .slice(0, 4)
  const distinct = `${name.slice(0, 35)}-${suffix}`
  return { name: distinct, record: records.get(distinct) }
}

function chooseWanted(records: Records, { project, source }: NameRequest, name: string): ChosenName {
  assertEnvironmentName(name)
  const record = records.get(name)
  if (record === undefined || (record.project === project && record.source === source))
    return { name, record }
  throw new HolmError(
    'HOLM_ENVIRONMENT_CONFLICT',
    `the name ${name} is taken by an environment of ${record.source}`,
    {
      hint: `Choose another --name, or remove it with: holm destroy ${name}`,
      details: { name, source: record.source, project: record.project },
    },
  )
}
