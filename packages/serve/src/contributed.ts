import { HolmError } from '@holm/core'
import type { CallOptions, CommandResult, Resources } from '@holm/core'
import type { MethodResult } from '@holm/sdk'
import type { Call } from './session.ts'

/**
 * What other plugins add, as far as it is offered here. Plugins do not import each other: these are the shapes that are
 * relied on, and a test compares them with those of the workspace package.
 */
export interface RemoteWorkspaces {
  list(options: CallOptions): Promise<readonly MethodResult<'workspace.show'>[]>
  show(name: string, options: { readonly signal: AbortSignal }): Promise<MethodResult<'workspace.show'>>
  create(name: string, options: CreateOptions): Promise<MethodResult<'workspace.create'>>
  start(name: string, options: CallOptions): Promise<MethodResult<'workspace.start'>>
  stop(name: string, options: CallOptions): Promise<MethodResult<'workspace.stop'>>
  merge(
    name: string,
    options: CallOptions & { readonly squash?: boolean; readonly message?: string },
  ): Promise<MethodResult<'workspace.merge'>>
  rename(
    name: string,
    to: string,
    options: CallOptions & { readonly mayLose?: boolean },
  ): Promise<MethodResult<'workspace.rename'>>
  delete(name: string, options: CallOptions): Promise<MethodResult<'workspace.delete'>>
  diff(name: string, options: CallOptions & { readonly stat?: boolean }): Promise<string>
  log(name: string, options: CallOptions & { readonly limit: number }): Promise<Commits>
}

type Commits = MethodResult<'git.log'>['commits']

interface CreateOptions extends CallOptions {
  readonly cwd: string
  readonly from?: string
  readonly blueprint?: string
  readonly provider?: string
  readonly resources?: Resources
}

/** A client may call anything: what no plugin adds is told, and is no bug. */
export async function openWorkspaces({ backend }: Call): Promise<RemoteWorkspaces> {
  const method = backend.host.methods['workspaces'] as
    | (() => Promise<RemoteWorkspaces | undefined>)
    | undefined
  const contributed = await method?.()
  if (contributed !== undefined) return contributed
  throw new HolmError('HOLM_PLUGIN_NOT_FOUND', 'no plugin adds workspaces', {
    hint: 'Install the plugin that has them: holm plugins install @holm/workspace',
  })
}

export interface Words {
  readonly args?: Readonly<Record<string, string>>
  readonly flags?: Readonly<Record<string, string | number | boolean>>
}

/** Runs a command of a plugin as data: nothing is printed, and nobody can be asked. */
export async function runCommand(
  { backend, signal }: Call,
  id: string,
  { args = {}, flags = {} }: Words,
): Promise<CommandResult> {
  const command = await backend.host.commands.load(id)
  const defaults = Object.entries(command.flags ?? {}).flatMap(([name, flag]) =>
    flag.default === undefined ? [] : [[name, flag.default] as const],
  )
  const result = await command.run({
    args,
    flags: { ...Object.fromEntries(defaults), ...flags },
    words: [],
    rest: [],
    host: backend.host,
    signal,
    cwd: '/',
    terminal: {
      interactive: false,
      json: true,
      verbose: false,
      confirm: () => Promise.reject(nobody(id)),
      choose: (_question, _choices, otherwise) => Promise.reject(otherwise),
    },
  })
  return result ?? { data: null }
}

function nobody(id: string): HolmError {
  return new HolmError('HOLM_CONFIRMATION_REQUIRED', `${id} asks a question, and nobody can be asked`)
}
