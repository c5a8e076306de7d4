import { errorTable, isHolmError } from '@holm/core'
import type { CommandInput, CommandResult, ErrorCode } from '@holm/core'
import type { DeleteResult, WorkspaceInfo, Workspaces } from '../api.ts'
import { environmentOf } from '../context.ts'
import {
  defaultNameArg,
  forceFlag,
  keepVolumesFlag,
  nameArg,
  nameOf,
  textFlag,
  yesFlag,
  type WorkspaceCommand,
} from './command.ts'

export const merge: WorkspaceCommand = {
  id: 'workspace merge',
  aliases: ['ws merge'],
  summary: 'Merge the branch of a workspace into the one it was made from.',
  description:
    'In the main worktree, which must be on that branch without changes. Where both sides changed the same lines nothing is ' +
    'merged, and the files are named.',
  args: [defaultNameArg],
  flags: {
    squash: { type: 'boolean', description: "One commit instead of the branch's own." },
    message: {
      type: 'string',
      char: 'm',
      description: 'Commit everything in the workspace first, with this message.',
    },
  },
  examples: [
    { command: 'holm ws merge fix', description: 'Bring a finished task back.' },
    { command: 'holm ws merge fix --squash -m "Repair the parser"', description: 'As one commit.' },
  ],
  async run(input, workspaces) {
    const message = textFlag(input, 'message')
    const result = await workspaces.merge(nameOf(input), {
      signal: input.signal,
      squash: input.flags['squash'] === true,
      ...(message !== undefined && { message }),
    })
    const text = result.merged
      ? `${result.name} is merged into ${result.into} (${result.commit.slice(0, 10)})`
      : `${result.into} has everything of ${result.name} already`
    return { data: result, text }
  },
}

export const remove: WorkspaceCommand = {
  id: 'workspace delete',
  aliases: ['ws delete', 'workspace rm', 'ws rm'],
  summary: 'Remove a workspace: environment, worktree and branch.',
  description:
    'Nothing is lost: what is neither merged nor pushed, uncommitted and untracked files included, is kept by git under a ' +
    'name that is told. The named volumes of its services from images go with it: no other workspace can have them.',
  args: [nameArg],
  flags: { yes: yesFlag, force: forceFlag, 'keep-volumes': keepVolumesFlag },
  examples: [{ command: 'holm ws delete fix', description: 'Done with a task.' }],
  async run(input, workspaces) {
    const { name } = await workspaces.show(nameOf(input), { signal: input.signal })
    const also = `${await describeUnsaved(workspaces, name)}${await describeData(input, name)}`
    const question = `Remove the workspace ${name}${also}?`
    if (!(await isConfirmed(input, question))) return { data: { removed: [] }, text: 'Nothing removed.' }
    return removeAll(input, workspaces, [name])
  },
}

export const prune: WorkspaceCommand = {
  id: 'workspace prune',
  aliases: ['ws prune'],
  summary: 'Remove workspaces that are done with.',
  description: 'Those whose work is all merged, or that are as old as asked for. They are shown first.',
  flags: {
    'older-than': { type: 'integer', description: 'Also those made more than so many days ago.' },
    yes: yesFlag,
    force: forceFlag,
    'keep-volumes': keepVolumesFlag,
  },
  examples: [
    { command: 'holm ws prune', description: 'Remove what is merged, after a question.' },
    { command: 'holm ws prune --older-than 30', description: 'And what nobody came back to.' },
  ],
  async run(input, workspaces) {
    const all = await workspaces.list({ signal: input.signal })
    const done = all.filter((info) => isDone(info) || isOld(info, input.flags['older-than']))
    if (done.length === 0) return { data: { removed: [] }, text: 'Nothing to remove.' }
    const question = `Remove the workspaces ${done.map(describeDone).join(', ')}?`
    if (!(await isConfirmed(input, question))) return { data: { removed: [] }, text: 'Nothing removed.' }
    return removeAll(
      input,
      workspaces,
      done.map(({ name }) => name),
    )
  },
}

function isDone({ changed, merged }: WorkspaceInfo): boolean {
  return merged && changed.length === 0
}

const dayMs = 86_400_000

function isOld({ createdAt }: WorkspaceInfo, days: unknown): boolean {
  return typeof days === 'number' && Date.now() - Date.parse(createdAt) > days * dayMs
}

function describeDone(info: WorkspaceInfo): string {
  return isDone(info) ? info.name : `${info.name} (not merged: kept by git)`
}

async function describeUnsaved(workspaces: Workspaces, name: string): Promise<string> {
  const { changed, commits } = await workspaces.unsaved(name)
  if (changed.length + commits === 0) return ''
  return ` (${changed.length} changed files and ${commits} commits are nowhere else; git will keep them)`
}

/** What git cannot keep. */
async function describeData({ host, flags, signal }: CommandInput, name: string): Promise<string> {
  if (flags['keep-volumes'] === true) return ''
  const environment = await environmentOf(host, name, { signal })
  const stateful = (environment?.services ?? []).filter(
    ({ container }) => container?.mounts.some(({ type }) => type === 'volume') === true,
  )
  if (stateful.length === 0) return ''
  return ` with the data of ${stateful.map((service) => service.name).join(', ')}`
}

async function isConfirmed({ flags, terminal }: CommandInput, question: string): Promise<boolean> {
  return flags['yes'] === true || terminal.confirm(question)
}

/** Removes what can be removed; one that cannot stops none of the others, and the exit code tells. */
export async function removeAll(
  { flags, signal }: CommandInput,
  workspaces: Workspaces,
  names: readonly string[],
): Promise<CommandResult> {
  const options = { signal, force: flags['force'] === true, keepVolumes: flags['keep-volumes'] === true }
  const [only] = names
  if (only !== undefined && names.length === 1)
    return describeRemoved([await workspaces.delete(only, options)])
  const ends = await Promise.all(
    names.map((name) => workspaces.delete(name, options).catch((error: unknown) => failureOf(name, error))),
  )
  return describeRemoved(ends)
}

interface Failure {
  readonly name: string
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly hint?: string }
}

function failureOf(name: string, error: unknown): Failure {
  if (!isHolmError(error)) throw error
  const { code, message, hint } = error
  return { name, error: { code, message, ...(hint !== undefined && { hint }) } }
}

function describeRemoved(ends: readonly (DeleteResult | Failure)[]): CommandResult {
  const failed = ends.filter((end) => 'error' in end)
  const removed = ends.filter((end) => !('error' in end))
  const [first] = failed
  return {
    data: { removed, ...(first && { failed }) },
    text: ends.map(lineOf).join('\n'),
    ...(first && { exitCode: errorTable[first.error.code].exit }),
  }
}

function lineOf(end: DeleteResult | Failure): string {
  if ('error' in end) return `${end.name} is left: ${end.error.message}`
  const { name, recovery } = end
  return recovery === undefined
    ? `${name} is removed`
    : `${name} is removed; its work is kept: git switch -c ${name} ${recovery}`
}
