import type { HostApi } from '@holm/core'
import type { MethodResult } from '@holm/sdk'
import type { Handlers } from '../dispatch.ts'
import { openWorkspaces, runCommand } from '../contributed.ts'
import { askInside } from '../files/ask-inside.ts'
import type { Call } from '../session.ts'
import { createTail, type Tail } from '../tail.ts'
import { inWorkspace } from './git.ts'

type Names = Extract<
  keyof Handlers,
  `environment.${string}` | `workspace.${string}` | `service.${string}` | `port.${string}`
>

type Options = NonNullable<Parameters<HostApi['start']>[1]>

/** A cancelled call is aborted, and its progress told. */
export function following({ id, session, signal }: Call): Options {
  return {
    signal,
    onEvent(event) {
      // Progress is for a display: to somebody who does not keep up it is not told.
      if (id !== undefined && !session.congested) session.notify('call.progress', { id, event })
    },
  }
}

export const manageHandlers: Pick<Handlers, Names> = {
  async 'environment.list'(_params, { backend, signal }) {
    return { environments: await backend.host.list({ signal }) }
  },
  'environment.show': ({ name }, { backend, signal }) => backend.host.status(name, { signal }),
  async 'environment.up'({ folder, ...given }, call) {
    const { environment, outcome, warnings } = await call.backend.host.up({
      cwd: folder,
      ...given,
      ...following(call),
    })
    return { environment, outcome, warnings }
  },
  'environment.start': ({ name }, call) => call.backend.host.start(name, following(call)),
  'environment.stop': ({ name, ...given }, call) =>
    call.backend.host.stop(name, { ...given, ...following(call) }),
  'environment.destroy': ({ name, ...given }, call) =>
    call.backend.host.destroy(name, { ...given, ...following(call) }),

  async 'workspace.list'(_params, call) {
    return { workspaces: await (await openWorkspaces(call)).list({ signal: call.signal }) }
  },
  'workspace.show': ({ name }, call) => inWorkspace(call, (workspaces) => workspaces.show(name, call)),
  'workspace.create': ({ name, folder, cpus, memoryBytes, ...given }, call) =>
    inWorkspace(call, (workspaces) => {
      const resources = {
        ...(cpus !== undefined && { cpus }),
        ...(memoryBytes !== undefined && { memoryBytes }),
      }
      return workspaces.create(name, { cwd: folder, ...given, resources, ...following(call) })
    }),
  'workspace.start': ({ name }, call) =>
    inWorkspace(call, (workspaces) => workspaces.start(name, following(call))),
  'workspace.stop': ({ name }, call) =>
    inWorkspace(call, (workspaces) => workspaces.stop(name, following(call))),
  'workspace.merge': ({ name, ...given }, call) =>
    inWorkspace(call, (workspaces) => workspaces.merge(name, { ...given, signal: call.signal })),
  'workspace.rename': ({ name, to, ...given }, call) =>
    inWorkspace(call, (workspaces) => workspaces.rename(name, to, { ...given, ...following(call) })),
  'workspace.delete': ({ name }, call) =>
    inWorkspace(call, (workspaces) => workspaces.delete(name, following(call))),

  'service.list': async ({ environment }, call) => ({
    services: await services(call, 'list', { environment }),
  }),
  'service.start': async (params, call) => ({ services: await services(call, 'start', params) }),
  'service.stop': async (params, call) => ({ services: await services(call, 'stop', params) }),
  'service.restart': async (params, call) => ({ services: await services(call, 'restart', params) }),
  async 'service.logs'({ environment, service, lines = 100 }, call) {
    const { next = [] } = await runCommand(call, 'service logs', {
      args: { service },
      flags: { environment, tail: lines },
    })
    const tail = createTail(Math.floor(call.session.limits.messageBytes / 4))
    await readLines(call, { next, lines }, tail)
    return { text: tail.bytes().toString(), truncated: tail.cut }
  },
  async 'port.list'({ environment }, call) {
    const { data } = await runCommand(call, 'port list', {})
    const all = data as MethodResult<'port.list'>['ports']
    return { ports: all.filter((port) => environment === undefined || port.environment === environment) }
  },
}

const logsTimeoutMs = 30_000

/** The command hands on to `exec` for a program inside, and to `logs` for an environment that a service has to itself. */
async function readLines(
  call: Call,
  { next, lines }: { readonly next: readonly string[]; readonly lines: number },
  tail: Tail,
): Promise<void> {
  const [command, environment = ''] = next
  if (command === 'exec') {
    const argv = next.slice(next.indexOf('--') + 1)
    tail.add((await askInside(call, { environment, argv, timeoutMs: logsTimeoutMs })).stdout)
    return
  }
  const { host } = call.backend
  const chunks = host.logs(environment, { follow: false, tail: lines, signal: call.signal })
  for await (const { data } of chunks) tail.add(Buffer.from(data))
}

type Services = MethodResult<'service.list'>['services']

/** The commands of the plugin that runs services are data: what they answer is what is answered here. */
async function services(
  call: Call,
  verb: 'list' | 'start' | 'stop' | 'restart',
  {
    environment,
    services: names = [],
  }: { readonly environment: string; readonly services?: readonly string[] },
): Promise<Services> {
  const runs: readonly Readonly<Record<string, string>>[] =
    names.length === 0 ? [{}] : names.map((service) => ({ service }))
  let answer: unknown
  for (const args of runs)
    answer = (await runCommand(call, `service ${verb}`, { args, flags: { environment } })).data
  return answer as Services
}
