import { isHolmError } from '@holm/core'
import type { EnvironmentInfo } from '@holm/core'
import type { WorkspaceInfo } from './api.ts'
import { formatScope } from './credentials/scope.ts'
import { gitInside, type Git, type WorktreePlace } from './git.ts'
import { placeOf } from './place.ts'
import type { WorkspaceRecord } from './record.ts'
import { statusOf } from './recovery.ts'

/** The record joined with what git and the runtime say now. */
export async function infoOf(
  git: Git,
  record: WorkspaceRecord,
  environment: EnvironmentInfo | undefined,
): Promise<WorkspaceInfo> {
  const { name, repository, path, branch, into, createdAt, gitCredentials } = record
  const work = await workOf(git, record)
  return {
    name,
    repository,
    path,
    branch,
    into,
    createdAt,
    ...work,
    status: environment?.status ?? 'absent',
    provider: environment?.provider ?? record.provider,
    ports: environment?.ports ?? [],
    gitCredentials: gitCredentials?.map(formatScope),
    problem: work.problem ?? environment?.reason,
  }
}

const nothing = { commit: undefined, changed: [], ahead: 0, behind: 0, merged: false }

type Work = Pick<WorkspaceInfo, 'commit' | 'changed' | 'ahead' | 'behind' | 'merged' | 'problem'>

async function workOf(git: Git, record: WorkspaceRecord): Promise<Work> {
  if (record.phase === 'creating')
    return { ...nothing, problem: `it is half-made: holm workspace delete ${record.name}` }
  if (record.renaming !== undefined) {
    const again = `holm workspace rename ${record.name} ${record.renaming}`
    return { ...nothing, problem: `it is being renamed; where nobody does any more: ${again}` }
  }
  const place = placeOf(record)
  if (place === undefined)
    return { ...nothing, problem: `${record.path} is gone: holm workspace delete ${record.name}` }
  try {
    return await readWork(git, record, place)
  } catch (error) {
    if (!isHolmError(error, 'HOLM_COMMAND_FAILED')) throw error
    return { ...nothing, problem: `${error.message}: holm workspace delete ${record.name} keeps its files` }
  }
}

async function readWork(git: Git, record: WorkspaceRecord, place: WorktreePlace): Promise<Work> {
  const { commit, changed } = await statusOf(gitInside(git, place), record.path)
  if (commit === undefined) return { ...nothing, changed, problem: undefined }
  const [ahead = 0, behind = 0] = await distance(git, record, commit)
  const merged = ahead === 0 && commit !== record.start
  return { commit: commit.slice(0, 10), changed, ahead, behind, merged, problem: undefined }
}

async function distance(git: Git, { repository, into }: WorkspaceRecord, commit: string): Promise<number[]> {
  const counts = await git.ask(repository, ['rev-list', '--left-right', '--count', `${commit}...${into}`])
  return (counts ?? '').split('\t').map(Number)
}
