import { existsSync, readFileSync } from 'node:fs'
import http from 'node:http'
import { inspect } from 'node:util'
import { assertNotAborted } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import type Docker from 'dockerode'
import { resolveConnection } from './connection.ts'
import type { Connection, ConnectionInput, Tls } from './connection.ts'
import { engineError } from './engine-errors.ts'

/** One engine, spoken to over one keep-alive agent. The connection is resolved and the library loaded at first use. */
export interface Engine {
  readonly namespace: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly readText: ConnectionInput['readText']
  /** The caller's ids, to give an environment's user; undefined for root and where there are none. */
  readonly callerIds: { readonly uid: number; readonly gid: number } | undefined
  connection(): Connection
  docker(): Promise<Docker>
  /** Runs `call`; whatever it throws becomes a HolmError that says what was being done. */
  use<T>(request: EngineRequest, call: (docker: Docker, abortSignal: AbortSignal) => Promise<T>): Promise<T>
  dispose(): void
}

export interface EngineRequest {
  readonly ctx: Pick<ProviderContext, 'signal'>
  readonly action: string
  readonly environment?: string
}

export interface EngineSettings {
  readonly namespace: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
  readonly host?: string | undefined
}

export function createEngine(settings: EngineSettings): Engine {
  const uid = process.getuid?.()
  const gid = process.getgid?.()
  const input: ConnectionInput = { ...settings, uid, readText, exists: existsSync }
  let connection: Connection | undefined
  let loading: Promise<Docker> | undefined
  let agent: http.Agent | undefined
  const resolve = (): Connection => (connection ??= resolveConnection(input))
  const connect = async (): Promise<Docker> => {
    agent = await createAgent(resolve())
    return connectDocker(resolve(), agent)
  }
  const docker = (): Promise<Docker> => (loading ??= connect())
  return {
    namespace: settings.namespace,
    env: settings.env,
    readText,
    callerIds:
      settings.platform === 'linux' && uid !== undefined && gid !== undefined && uid !== 0
        ? { uid, gid }
        : undefined,
    connection: resolve,
    docker,
    dispose: () => agent?.destroy(),
    async use(request, call) {
      const { signal } = request.ctx
      assertNotAborted(signal)
      const client = await docker()
      try {
        return await call(client, signal)
      } catch (error) {
        throw engineError(error, { ...request, signal, connection: resolve() })
      }
    },
  }
}

async function connectDocker(connection: Connection, agent: http.Agent): Promise<Docker> {
  const { default: DockerClient } = await import('dockerode')
  return new DockerClient(dockerOptions(connection, agent))
}

/**
 * Every field is given, also as undefined: docker-modem merges these over what it reads from the process's own
 * DOCKER_HOST. No version: an unversioned path is the engine's newest one, which spares a round trip for negotiation.
 */
function dockerOptions(connection: Connection, agent: http.Agent): Docker.DockerOptions {
  const common = {
    agent,
    protocol: 'http',
    pathPrefix: undefined,
    username: undefined,
    timeout: undefined,
    ca: undefined,
    cert: undefined,
    key: undefined,
  }
  const where =
    connection.kind === 'socket'
      ? { socketPath: connection.path, host: undefined, port: undefined }
      : {
          socketPath: undefined,
          host: connection.host,
          port: connection.port,
          ...(connection.tls && tlsOptions(connection.tls)),
        }
  // The library's types know no undefined; its code does.
  return { ...common, ...where } as unknown as Docker.DockerOptions
}

function tlsOptions(tls: Tls): Record<string, unknown> {
  return { protocol: 'https', ca: tls.ca, cert: tls.cert, key: tls.key }
}

async function createAgent(connection: Connection): Promise<http.Agent> {
  const options = { keepAlive: true, keepAliveMsecs: 1000, maxFreeSockets: 16 }
  // A server name is for TLS; without one Node would compile its pattern of IPv6 addresses to make one up.
  const agent =
    connection.kind === 'tcp' && connection.tls
      ? new (await import('node:https')).Agent({ ...options, rejectUnauthorized: connection.tls.verify })
      : new http.Agent({ ...options, servername: '' } as http.AgentOptions)
  // docker-modem formats its whole request, agent and all its sockets included, for a debug line that nobody reads:
  // without this a call costs milliseconds more with every open connection.
  Object.defineProperty(agent, inspect.custom, { value: () => 'Agent' })
  return agent
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
