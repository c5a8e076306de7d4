import type { CommandResult } from '@holm/core'
import type { WorkspaceInfo } from '../api.ts'
import { defaultNameArg, nameOf, type WorkspaceCommand } from './command.ts'

export const list: WorkspaceCommand = {
  id: 'workspace list',
  aliases: ['ws list', 'workspace ls', 'ws ls'],
  summary: 'List the workspaces of this machine.',
  examples: [{ command: 'holm workspace list', description: 'Every workspace, with its branch and state.' }],
  async run({ signal }, workspaces) {
    const all = await workspaces.list({ signal })
    return {
      data: all,
      table: {
        columns: ['name', 'status', 'branch', 'commit', 'changes', 'ahead/behind', 'ports', 'repository'],
        rows: all.map(rowOf),
        empty: 'No workspaces. Make one: holm workspace create NAME',
      },
    }
  },
}

function rowOf(info: WorkspaceInfo): string[] {
  return [
    info.name,
    info.problem ?? info.status,
    info.branch,
    info.commit ?? '',
    info.changed.length === 0 ? 'none' : String(info.changed.length),
    `${info.ahead}/${info.behind}`,
    portsOf(info),
    info.repository,
  ]
}

function portsOf({ ports }: WorkspaceInfo): string {
  return ports.map(({ host, container }) => `${host}->${container}`).join(' ')
}

/** The facts of one workspace, a line each. */
export function describe(info: WorkspaceInfo): CommandResult {
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['workspace', info.name],
    ['status', info.status],
    ['problem', info.problem],
    ['provider', info.provider],
    ['branch', `${info.branch}, for ${info.into}`],
    ['commit', info.commit],
    ['changed', info.changed.length === 0 ? 'nothing' : info.changed.join(', ')],
    ['ahead', `${info.ahead} commits, ${info.behind} behind ${info.into}`],
    ['ports', portsOf(info) || undefined],
    ['credentials', info.gitCredentials && `git, for ${info.gitCredentials.join(', ') || 'no remote'}`],
    ['files', info.path],
    ['repository', info.repository],
    ['created', info.createdAt],
  ]
  const shown = lines.flatMap(([key, value]) => (value === undefined ? [] : [`${key.padEnd(12)}${value}`]))
  return { data: info, text: shown.join('\n') }
}

export const show: WorkspaceCommand = {
  id: 'workspace show',
  aliases: ['ws show'],
  summary: 'Show one workspace.',
  args: [defaultNameArg],
  examples: [{ command: 'holm workspace show fix', description: 'Branch, changes, ports and folder.' }],
  run: async (input, workspaces) => describe(await workspaces.show(nameOf(input), { signal: input.signal })),
}

export const diff: WorkspaceCommand = {
  id: 'workspace diff',
  aliases: ['ws diff'],
  summary: 'Show everything a workspace changed, committed or not.',
  args: [defaultNameArg],
  flags: { stat: { type: 'boolean', description: 'Only which files, and how much.' } },
  examples: [{ command: 'holm workspace diff fix --stat', description: 'Which files were changed.' }],
  async run(input, workspaces) {
    const { flags, signal } = input
    const text = await workspaces.diff(nameOf(input), { signal, stat: flags['stat'] === true })
    return { data: { diff: text }, text: text === '' ? 'No changes.' : text }
  },
}
