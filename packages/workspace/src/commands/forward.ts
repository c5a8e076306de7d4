import { HolmError, isHolmError } from '@holm/core'
import type { CommandInput, CommandResult, EnvironmentInfo, PluginApi } from '@holm/core'
import type { WorkspaceConfig } from '../options.ts'
import { openBrowser } from '../ports/browser.ts'
import type { ForwardEvent } from '../ports/forward-set.ts'
import { findRunning, forwardPorts, isPublished } from '../ports/forwarder.ts'
import { createQueue } from '../ports/queue.ts'
import { parseWish, parseWishes, type PortWish } from '../ports/wish.ts'
import type { PluginCommand, WorkspaceCommand } from './command.ts'

const environmentArg = {
  name: 'environment',
  description: 'Environment or workspace.',
  required: true,
  completes: 'environment',
} as const

export const portForward: WorkspaceCommand = {
  id: 'port forward',
  summary: 'Bring ports that something inside listens on to this machine.',
  description:
    'Runs until Ctrl-C. Without ports it notices what begins and ceases to listen inside, and forwards each to a free port of 127.0.0.1, ' +
    'the same one as before where it can be; what the blueprint publishes already is left alone. Where this machine has no way to the environment, ' +
    'connections go through holm exec.',
  args: [
    environmentArg,
    {
      name: 'port',
      description:
        'Port inside: 3000, or 8080:3000 for port 8080 of this machine; absent: all, as they come and go.',
      multiple: true,
    },
  ],
  flags: { watch: { type: 'boolean', description: 'Without ports: what happens anyway.' } },
  examples: [
    {
      command: 'holm port forward fix',
      description: 'Everything that listens in a workspace, until Ctrl-C.',
    },
    {
      command: 'holm port forward fix 3000 8080:80',
      description: 'Two ports, one of them to a port of your own choice.',
    },
  ],
  async run(input) {
    const wishes = parseWishes(input.words)
    if (input.flags['watch'] === true && wishes.length > 0) {
      throw new HolmError('HOLM_USAGE', '--watch forwards what listens, and ports were named', {
        hint: 'Leave one of the two out.',
      })
    }
    const environment = await findRunning(input.host, input.args['environment'], input)
    return { data: lines(input, environment, wishes), exitCode: 0 }
  },
}

interface ForwardLine {
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
}

async function* lines(
  { host, signal }: CommandInput,
  environment: EnvironmentInfo,
  wishes: readonly PortWish[],
): AsyncIterable<ForwardLine> {
  const queue = createQueue<ForwardEvent>()
  forwardPorts({ host, environment, wishes, signal, emit: queue.push }).then(
    () => queue.end(),
    (error: Error) => queue.end(isInterruption(error, signal) ? undefined : error),
  )
  const waiting =
    wishes.length === 0 ? `forwarding what listens in ${environment.name}; Ctrl-C ends it` : 'Ctrl-C ends it'
  yield { stream: 'stderr', text: waiting }
  for await (const event of queue) yield { ...describe(event), ...event }
}

function isInterruption(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && isHolmError(error, 'HOLM_INTERRUPTED')
}

function describe(event: ForwardEvent): ForwardLine {
  if (event.event === 'problem') {
    const subject = event.inside === null ? event.environment : `port ${event.inside} of ${event.environment}`
    return { stream: 'stderr', text: `${subject}: ${event.message}` }
  }
  const { inside, here } = event
  if (event.event === 'closed')
    return { stream: 'stdout', text: `127.0.0.1:${here}  x   ${inside} is closed` }
  const name = event.process === null ? '' : `  ${event.process}`
  return { stream: 'stdout', text: `127.0.0.1:${here}  ->  ${inside}${name}` }
}

export const portOpen: PluginCommand = {
  id: 'port open',
  summary: 'Open a port of an environment in the browser.',
  description:
    'A published port is opened at once. Any other one is forwarded first, until Ctrl-C. The browser is $BROWSER, or the one of this system.',
  args: [environmentArg, { name: 'port', description: 'Port inside; absent: the first that is published.' }],
  flags: { print: { type: 'boolean', description: 'Only tell the address.' } },
  examples: [{ command: 'holm port open fix 3000', description: 'Look at what a workspace serves.' }],
  async run(input, api) {
    const environment = await findRunning(input.host, input.args['environment'], input)
    const wish = input.args['port'] === undefined ? undefined : parseWish(input.args['port'])
    const inside = wish?.inside ?? firstPublished(environment)
    const published = wish?.here === undefined && isPublished(environment, inside)
    if (published) return openPublished(input, api, urlOf(environment, inside))
    return { data: openForwarded(input, api, { environment, wish: wish ?? { inside } }), exitCode: 0 }
  },
}

function firstPublished({ name, ports }: EnvironmentInfo): number {
  const first = ports.find(({ protocol }) => protocol === 'tcp')
  if (first) return first.container
  throw new HolmError('HOLM_USAGE', `${name} publishes no port: say which one is meant`, {
    hint: `See what listens: holm port forward ${name}; or name it: holm port open ${name} 3000`,
    details: { environment: name },
  })
}

function urlOf({ ports }: EnvironmentInfo, inside: number): string {
  const port = ports.find(({ container, protocol }) => container === inside && protocol === 'tcp')
  const ip = port?.hostIp ?? ''
  const host = ip === '' || ip === '0.0.0.0' || ip === '::' ? '127.0.0.1' : ip
  return `http://${host.includes(':') ? `[${host}]` : host}:${port?.host ?? inside}`
}

async function openPublished(
  { flags, signal }: CommandInput,
  api: PluginApi<WorkspaceConfig>,
  url: string,
): Promise<CommandResult> {
  if (flags['print'] === true) return { data: { url, opened: false }, text: url }
  const problem = await openBrowser(api, url, signal)
  return {
    data: { url, opened: problem === undefined, problem },
    text: problem === undefined ? url : `${url}\n${problem}`,
  }
}

async function* openForwarded(
  input: CommandInput,
  api: PluginApi<WorkspaceConfig>,
  { environment, wish }: { readonly environment: EnvironmentInfo; readonly wish: PortWish },
): AsyncIterable<ForwardLine> {
  for await (const line of lines(input, environment, [wish])) {
    yield line
    if (!('event' in line) || line.event !== 'forwarded' || !('here' in line)) continue
    const url = `http://127.0.0.1:${String(line.here)}`
    const problem = input.flags['print'] === true ? undefined : await openBrowser(api, url, input.signal)
    yield { stream: 'stdout', text: url }
    if (problem !== undefined) yield { stream: 'stderr', text: problem }
  }
}
