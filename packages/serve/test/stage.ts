import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { definePlugin, type HostApi, type PluginDefinition } from '@holm/core'
import { createHost } from '@holm/core/host'
import { connect, type ClientOptions, type HolmClient } from '@holm/sdk'
import { connectSocket } from '@holm/sdk/node'
import { createMemoryProvider } from '@holm/testkit'
import { onTestFinished, vi } from 'vitest'
import { limitsOf, type Limits } from '../src/options.ts'
import { startServer, type RunningServer } from '../src/server.ts'
import { loadToken, type Token } from '../src/token.ts'

// A machine may be busy: nothing here is about speed.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

/** A server in this process over environments of the memory provider. */
export interface Stage {
  /** A name that needs quotes. */
  readonly folder: string
  readonly project: string
  readonly host: HostApi
  readonly token: Token
  readonly server: RunningServer
  readonly url: string
  readonly socket: string
  /** Both ways in. */
  client(way: 'websocket' | 'socket', options?: ClientOptions): Promise<HolmClient>
  write(path: string, text: string): void
  read(path: string): string
  /** Another one on the same socket, after the first has ended. */
  restart(): Promise<void>
}

export interface StageOptions {
  readonly limits?: Partial<Limits>
  readonly origins?: readonly string[]
  readonly plugins?: readonly PluginDefinition[]
}

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined }

export async function setStage({
  limits = {},
  origins = [],
  plugins = [],
}: StageOptions = {}): Promise<Stage> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "holm it's sv ")))
  const project = join(folder, 'a project')
  const provider = createMemoryProvider({ root: join(folder, 'memory') })
  const memory = definePlugin({
    name: 'test-memory',
    contract: 1,
    setup: (api) => void api.provide('provider', 'memory', () => provider),
  })
  const write: Stage['write'] = (path, text) => {
    mkdirSync(dirname(join(project, path)), { recursive: true })
    writeFileSync(join(project, path), text)
  }
  write('holm.yaml', 'name: demo\nbase: host\n')
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    HOLM_HOME: join(folder, 'home'),
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_SYSTEM: '/dev/null',
  }
  const host = await createHost({ cwd: project, env, plugins: [memory, ...plugins] })
  const token = loadToken(join(folder, 'token folder'), { log: silent })
  const socket = join(folder, 's')
  const start = (port: number): Promise<RunningServer> =>
    startServer({
      backend: { host, log: silent, limits: { ...limitsOf({}), ...limits }, namespace: 'test' },
      token,
      origins,
      port,
      socket,
    })
  let server = await start(0)
  const url = server.url ?? ''
  onTestFinished(async () => {
    await server.close('the test is over')
    await host.close()
    await provider.dispose()
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    folder,
    project,
    host,
    token,
    url,
    socket,
    write,
    get server() {
      return server
    },
    read: (path) => readFileSync(join(project, path), 'utf8'),
    async client(way, options = {}) {
      const client = await (way === 'socket'
        ? connectSocket({ socket, tokenFile: token.path, ...options })
        : connect({ url, token: token.value, ...options }))
      onTestFinished(() => client.close())
      return client
    },
    async restart() {
      await server.close('it is started again')
      server = await start(Number(new URL(url).port))
    },
  }
}

/** Rejects with this. */
export async function refusal(promise: Promise<unknown>): Promise<{
  readonly code: string
  readonly rpcCode: number
  readonly message: string
  readonly hint?: string
}> {
  try {
    await promise
  } catch (error) {
    return error as Awaited<ReturnType<typeof refusal>>
  }
  throw new Error('it was not refused')
}

export async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(stream).text()
}
