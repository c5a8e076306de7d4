import type { EnvironmentInfo } from '@holm/core'
import type { WorkspaceInfo } from './api.ts'
import { gitInside, type Git } from './git.ts'
import { placeOf } from './place.ts'
import type { WorkspaceRecord } from './record.ts'
import { statusOf } from './recovery.ts'

/** The record joined with what git and the runtime say now. */
export async function infoOf(
  git: Git,
  record: WorkspaceRecord,
  environment: EnvironmentInfo | undefined,
): Promise<WorkspaceInfo> {
  const { name, repository, path, branch, into, createdAt } = record
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
    problem: work.problem ?? environment?.reason,
  }
}

type Work = Pick<WorkspaceInfo, 'commit' | 'changed' | 'ahead' | 'behind' | 'merged' | 'problem'>

async function workOf(git: Git, record: WorkspaceRecord): Promise<Work> {
  const none = { commit: undefined, changed: [], ahead: 0, behind: 0, merged: false }
  if (record.phase === 'creating')
    return { ...none, problem: `it is half-made: holm workspace delete ${record.name}` }
  const place = placeOf(record)
  if (place === undefined)
    return { ...none, problem: `${record.path} is gone: holm workspace delete ${record.name}` }
  const { commit, changed } = await statusOf(gitInside(git, place), record.path)
  if (commit === undefined) return { ...none, changed, problem: undefined }
  const [ahead = 0, behind = 0] = await distance(git, record, commit)
  const merged = ahead === 0 && commit !== record.start
  return { commit: commit.slice(0, 10), changed, ahead, behind, merged, problem: undefined }
}

async function distance(git: Git, { repository, into }: WorkspaceRecord, commit: string): Promise<number[]> {
  const counts = await git.ask(repository, ['rev-list', '--left-right', '--count', `${commit}...${into}`])
  return (counts ?? '').split('\t').map(Number)
}
