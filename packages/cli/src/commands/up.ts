import {
  isHolmError,
  type HolmError,
  type HostApi,
  type Terminal,
  type UpOptions,
  type UpResult,
} from '@holm/core'
import type { BuiltinCommand } from '../builtin.ts'
import { renderUp } from '../output/views.ts'
import { optional, readText, yesFlag } from './shared.ts'

export const up: BuiltinCommand = {
  id: 'up',
  group: 'Environments',
  summary: 'Bring an environment up: the one command to start with.',
  description:
    'Makes and starts the environment of a blueprint, and says how to enter it. A running environment is left as it is; ' +
    'when its blueprint has changed since, `up` says what changed, and --recreate makes it anew.',
  args: [
    {
      name: 'blueprint',
      description: "A built-in's name, a file or a folder; absent: the blueprint of the current folder.",
      completes: 'blueprint',
    },
  ],
  flags: {
    name: {
      type: 'string',
      char: 'n',
      description: 'Name of the environment; absent: made from the blueprint and folder.',
    },
    provider: { type: 'string', char: 'p', description: 'Run it on this provider.', completes: 'provider' },
    base: {
      type: 'string',
      char: 'b',
      description: "Use this base instead of the blueprint's.",
      completes: 'base',
    },
    docker: {
      type: 'boolean',
      description:
        'Give it a Docker engine of its own. On the provider docker it can then take over this machine; in a virtual machine (qemu, lima) it cannot.',
    },
    recreate: { type: 'boolean', description: 'Remove the environment and make it anew.' },
    yes: { ...yesFlag, description: 'Remove the snapshots of what is recreated without a question.' },
    keep: { type: 'boolean', description: 'Leave an environment that failed to come up for a look inside.' },
  },
  examples: [
    {
      command: 'holm up',
      description: "Bring up this folder's blueprint on the best provider of this machine.",
    },
    { command: 'holm up python-dev -p docker', description: 'Bring up a built-in blueprint on Docker.' },
    { command: 'holm up --recreate', description: 'Apply a changed blueprint.' },
  ],
  async run(input) {
    const { args, flags, host, signal, terminal, cwd } = input
    const since = performance.now()
    const name = readText(input, 'name')
    const options: UpOptions = {
      cwd,
      signal,
      recreate: flags['recreate'] === true,
      ...(flags['docker'] === true && { docker: true }),
      ...(flags['keep'] === true && { keep: true }),
      ...(flags['yes'] === true && { removeSnapshots: true }),
      ...optional('blueprint', args['blueprint']),
      ...optional('name', name),
      ...optional('provider', readText(input, 'provider')),
      ...optional('base', readText(input, 'base')),
    }
    const result = await upConfirmed(host, options, terminal)
    if (result === undefined) return { data: null, text: 'Nothing removed.' }
    if (flags['quiet'] === true) return { data: result, text: result.environment.name }
    const isFolderDefault = args['blueprint'] === undefined && name === undefined
    const view = { verbose: terminal.verbose, isFolderDefault, elapsedMs: performance.now() - since }
    return { data: result, text: renderUp(result, view) }
  },
}

/** Snapshots go with what is recreated only after a question. Undefined when the answer is no. */
async function upConfirmed(
  host: HostApi,
  options: UpOptions,
  terminal: Terminal,
): Promise<UpResult | undefined> {
  try {
    return await upChosen(host, options, terminal)
  } catch (error) {
    if (!isHolmError(error, 'HOLM_CONFIRMATION_REQUIRED')) throw error
    if (!(await terminal.confirm(`${error.message}. Go on?`))) return undefined
    return upChosen(host, { ...options, removeSnapshots: true }, terminal)
  }
}

/** Where several blueprints could be meant, a person at a terminal chooses; elsewhere the error names them. */
async function upChosen(host: HostApi, options: UpOptions, terminal: Terminal): Promise<UpResult> {
  try {
    return await host.up(options)
  } catch (error) {
    const choices = isHolmError(error, 'HOLM_BLUEPRINT_AMBIGUOUS') ? error.details?.['choices'] : undefined
    if (!Array.isArray(choices) || options.blueprint !== undefined) throw error
    const blueprint = await terminal.choose('Which blueprint?', choices.map(String), error as HolmError)
    return host.up({ ...options, blueprint })
  }
}
