import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { root } from '../../scripts/root.ts'
import { missingDocker, missingRootfs, type Ended, type TestHolm } from '../support/holm.ts'

/** Something that a blueprint does inside until a file in the project lets it go on; its marker tells that it runs. */
export const waitForGo = 'touch running; while [ ! -e go ]; do sleep 0.05; done'

/** The two providers with a base that works without a network, and why one cannot be tried here. */
export const runtimes = [
  { provider: 'docker', base: 'debian-12', missing: missingDocker() ?? missingRootfs() },
  { provider: 'sandbox', base: 'host', missing: process.platform === 'linux' ? undefined : 'needs Linux' },
] as const

/** A project folder with a name that needs care, and a blueprint (an object is JSON, which is YAML, too). */
export function makeProject(holm: TestHolm, name: string, blueprint: string | object): string {
  const project = join(holm.home, 'projects', name)
  mkdirSync(project, { recursive: true })
  writeBlueprint(project, blueprint)
  return project
}

export function writeBlueprint(project: string, blueprint: string | object): void {
  writeFileSync(
    join(project, 'holm.yaml'),
    typeof blueprint === 'string' ? blueprint : JSON.stringify(blueprint),
  )
}

/** Registers the test's tarball where the runtime needs one. */
export async function prepareBase(holm: TestHolm, base: string): Promise<void> {
  const rootfs = process.env['HOLM_TEST_ROOTFS']
  if (base !== 'host' && rootfs !== undefined) await holm.json(['base', 'add', base, rootfs])
}

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
}

/** Starts `bin/holm` and leaves it running, as the leader of its own group. */
export function startHolm(
  holm: TestHolm,
  args: readonly string[],
  options: { cwd: string; env?: NodeJS.ProcessEnv },
): Running {
  const child = spawn(join(root, 'bin', 'holm'), args, {
    cwd: options.cwd,
    env: { ...holm.env, ...options.env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) =>
      resolve({
        code: code ?? (signal === 'SIGKILL' ? 137 : 1),
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    )
  })
  return { child, ended }
}

/** Resolves when the file is there; fails when the program ended before, with what it said. */
export async function appears(path: string, running: Running): Promise<void> {
  let over: Ended | undefined
  void running.ended.then((ended) => (over = ended))
  const deadline = Date.now() + 60_000
  while (!existsSync(path)) {
    if (over)
      throw new Error(`holm ended with ${over.code} before ${path} was there:\n${over.stdout}${over.stderr}`)
    if (Date.now() > deadline) throw new Error(`${path} was not there within 60 s`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export interface ErrorDocument {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly hint: string | null
    readonly details?: unknown
  }
}

/** The error of a command that ran with --json. */
export function errorOf({ stdout }: Ended): ErrorDocument['error'] {
  return (JSON.parse(stdout) as ErrorDocument).error
}

export interface CutEngine {
  readonly host: string
  /** Nobody answers any more, and open connections break. */
  cut(): void
  /** Answers again. */
  restore(): Promise<void>
  close(): void
}

/** A socket in front of the engine, which can be cut: the engine itself belongs to other tests, too. */
export async function createCutEngine(engine: string, path: string): Promise<CutEngine> {
  const target = engine.replace(/^unix:\/\//, '')
  const open = new Set<Socket>()
  const listen = (): Promise<Server> =>
    new Promise((resolve) => {
      const server = createServer((client) => joinSockets(client, connect(target), open))
      server.listen(path, () => resolve(server))
    })
  let server = await listen()
  const cut = (): void => {
    server.close()
    for (const socket of open) socket.destroy()
    open.clear()
  }
  return {
    host: `unix://${path}`,
    cut,
    restore: async () => {
      server = await listen()
    },
    close: cut,
  }
}

function joinSockets(client: Socket, upstream: Socket, open: Set<Socket>): void {
  for (const socket of [client, upstream]) {
    open.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => open.delete(socket))
  }
  client.pipe(upstream).pipe(client)
  client.on('close', () => upstream.destroy())
  upstream.on('close', () => client.destroy())
}
