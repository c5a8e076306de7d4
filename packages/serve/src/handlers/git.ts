import { HolmError } from '@holm/core'
import { openWorkspaces, type RemoteWorkspaces } from '../contributed.ts'
import type { Handlers } from '../dispatch.ts'
import { askInside } from '../files/ask-inside.ts'
import type { Call } from '../session.ts'
import { createTail } from '../tail.ts'

type Names = Extract<keyof Handlers, `git.${string}`>

export async function inWorkspace<Result>(
  call: Call,
  work: (workspaces: RemoteWorkspaces) => Promise<Result>,
): Promise<Result> {
  return work(await openWorkspaces(call))
}

const commitTimeoutMs = 60_000

export const gitHandlers: Pick<Handlers, Names> = {
  'git.status': ({ workspace }, call) =>
    inWorkspace(call, async (workspaces) => {
      const { branch, into, commit, changed, ahead, behind, merged } = await workspaces.show(workspace, call)
      return { branch, into, commit, changed, ahead, behind, merged }
    }),
  'git.diff': ({ workspace, stat = false }, call) =>
    inWorkspace(call, async (workspaces) => {
      const text = await workspaces.diff(workspace, { stat, signal: call.signal })
      // From its beginning: the end of a patch alone cannot be read.
      const most = Math.floor(call.session.limits.messageBytes / 4)
      return { diff: text.slice(0, most), truncated: text.length > most }
    }),
  'git.log': ({ workspace, limit = 50 }, call) =>
    inWorkspace(call, async (workspaces) => ({
      commits: await workspaces.log(workspace, { limit, signal: call.signal }),
    })),
  // Inside, where what a repository makes git run cannot reach this machine.
  async 'git.commit'({ workspace, message }, call) {
    await inWorkspace(call, (workspaces) => workspaces.show(workspace, call))
    await git(call, workspace, ['add', '--all'])
    await git(call, workspace, ['commit', '--quiet', '--message', message])
    return { commit: (await git(call, workspace, ['rev-parse', 'HEAD'])).trim() }
  },
}

async function git(call: Call, environment: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await askInside(call, {
    environment,
    argv: ['git', ...args],
    timeoutMs: commitTimeoutMs,
  })
  const said = createTail(2000)
  said.add(stderr.length > 0 ? stderr : stdout)
  if (code === 0) return stdout.toString()
  throw new HolmError(
    'HOLM_COMMAND_FAILED',
    `git ${args[0]} ended with ${code} in ${environment}: ${said.bytes().toString().trim()}`,
    code === 127 ? { hint: 'Install git in the blueprint: packages: [git]' } : {},
  )
}
