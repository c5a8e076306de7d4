import { isAbsolute, join, resolve } from 'node:path'
import { HolmError, isHolmError } from '@holm/core'
import type { CommandDefinition, CommandInput, CommandResult, PluginApi } from '@holm/core'
import { limitsOf, type ServeConfig } from '../options.ts'

/** A command of this plugin: what the manifest lists of it, and its code. */
export interface ServeCommand extends Omit<CommandDefinition, 'run'> {
  run(input: CommandInput, api: PluginApi<ServeConfig>): Promise<CommandResult>
}

export const serve: ServeCommand = {
  id: 'serve',
  summary: 'Let programs, editors and web pages use holm from outside.',
  description:
    'JSON-RPC over a WebSocket and a unix socket of this machine, until Ctrl-C: files, programs with terminals, environments, workspaces, ' +
    'services, ports and git. The package @holm/sdk is a client for it. Who shows the token may do all that holm may: it is in a file that ' +
    'only you can read, and is asked for on this machine, too.',
  flags: {
    port: { type: 'integer', description: 'Port of the WebSocket; 0: a free one.', default: 0 },
    socket: {
      type: 'string',
      description: 'Path of the unix socket; absent: one in the data folder.',
      completes: 'file',
    },
    'no-port': { type: 'boolean', description: 'Only the unix socket.' },
    origin: {
      type: 'string',
      multiple: true,
      description: 'Origin of a web page that may connect, such as https://editor.example; repeatable.',
    },
    'new-token': { type: 'boolean', description: 'Make a new token; the one before is worth nothing then.' },
  },
  examples: [
    { command: 'holm serve', description: 'Tells where it listens, and where the token is.' },
    { command: 'holm serve --json', description: 'The same as one document, for a program that starts it.' },
    { command: 'holm serve --origin http://localhost:5173', description: 'Let a web page connect, too.' },
  ],
  run: async (input, api) => ({ data: serving(input, api), exitCode: 0 }),
}

/** One document when it is ready; ends with the server. */
async function* serving(input: CommandInput, api: PluginApi<ServeConfig>): AsyncGenerator {
  const { signal, flags } = input
  const path = socketOf(input, api)
  const origins = [...(api.config.origins ?? []), ...originsOf(flags['origin'])]
  const [{ startServer }, { loadToken }] = await Promise.all([import('../server.ts'), import('../token.ts')])
  const { promise, resolve: started, reject } = Promise.withResolvers<unknown>()
  const over = held(api, path, async () => {
    const token = loadToken(api.paths.data, { renew: flags['new-token'] === true, log: api.log })
    const server = await startServer({
      backend: { host: input.host, log: api.log, limits: limitsOf(api.config), namespace: api.namespace },
      token,
      origins,
      port: flags['no-port'] === true ? undefined : portOf(flags['port']),
      socket: path,
    })
    const ready = { url: server.url ?? null, socket: server.socket ?? null, tokenFile: token.path }
    started(
      input.terminal.json ? { ...ready, pid: process.pid } : { stream: 'stdout', text: describe(ready) },
    )
    await untilAborted(signal)
    await server.close('holm serve was ended')
  })
  over.catch(reject)
  yield await promise
  await over
}

interface Ready {
  readonly url: string | null
  readonly socket: string | null
  readonly tokenFile: string
}

function describe({ url, socket, tokenFile }: Ready): string {
  return [
    ...(url === null ? [] : [`WebSocket    ${url}`]),
    ...(socket === null ? [] : [`unix socket  ${socket}`]),
    `token        cat ${quote(tokenFile)}`,
    'Ctrl-C ends it.',
  ].join('\n')
}

function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`
}

/** Windows has no unix sockets that its programs agree on. */
function socketOf(
  { flags, cwd }: CommandInput,
  { paths, platform }: PluginApi<ServeConfig>,
): string | undefined {
  const given = flags['socket']
  if (given === '') throw new HolmError('HOLM_USAGE', '--socket is empty', { hint: 'Give it a path.' })
  if (typeof given === 'string') return isAbsolute(given) ? given : resolve(cwd, given)
  return platform === 'win32' ? undefined : join(paths.data, 'holm.sock')
}

function portOf(flag: unknown): number {
  const port = Number(flag)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new HolmError('HOLM_USAGE', `--port is ${String(flag)}, which is no port`, {
    hint: 'Give --port a number from 0 to 65535.',
  })
}

/** As a browser writes it: no path, no `*`. */
function originsOf(flag: unknown): string[] {
  const all = Array.isArray(flag) ? flag.map(String) : []
  for (const each of all) {
    const origin = URL.canParse(each) ? new URL(each).origin : ''
    if (origin === each && origin !== 'null') continue
    throw new HolmError('HOLM_USAGE', `--origin is ${JSON.stringify(each)}, which is no origin`, {
      hint: 'Write scheme, host and port alone: --origin http://localhost:5173',
    })
  }
  return all
}

/** One server a socket: that of a killed one is taken over. */
async function held(
  api: PluginApi<ServeConfig>,
  path: string | undefined,
  work: () => Promise<void>,
): Promise<void> {
  if (path === undefined) return work()
  let inside = false
  try {
    await api.records('server').hold(path, 'serve', () => {
      inside = true
      return work()
    })
  } catch (error) {
    if (inside || !isHolmError(error, 'HOLM_ENVIRONMENT_BUSY')) throw error
    const { taken } = await import('../listen.ts')
    throw taken(path, error)
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
