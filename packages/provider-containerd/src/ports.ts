import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { createSocket } from 'node:dgram'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { PortBinding, PortRequest, PortsFacet } from '@holm/core'
import type { Engine } from './engine.ts'
import { requireEnvironment, stateOf } from './environment.ts'
import { loadRun } from './run-record.ts'

export function portsFacet(engine: Engine): PortsFacet {
  return {
    list: (name, ctx) =>
      engine.use({ ctx, action: `list the ports of ${name}`, environment: name }, async (client) => {
        const { ports } = await stateOf(await requireEnvironment(client, name))
        return ports
      }),
  }
}

export interface PortOwner {
  readonly engine: Engine
  readonly name: string
  readonly folder: string
}

/** Ports are mapped by rules of the kernel, which no program holds open: a file keeps other environments away. */
function leaseFile(engine: Engine, { protocol, host }: Pick<PortBinding, 'protocol' | 'host'>): string {
  // Beside the namespaces: they share this machine's ports.
  return path.join(path.dirname(engine.folder), 'ports', `${protocol}-${host}`)
}

/** Takes a port of this machine for each request. HOLM_PORT_TAKEN when it is in use. */
export async function takePorts(
  owner: PortOwner,
  requests: readonly PortRequest[],
): Promise<readonly PortBinding[]> {
  const taken: PortBinding[] = []
  try {
    for (const request of requests) taken.push(await takePort(owner, request))
    return taken
  } catch (error) {
    await releasePorts(owner, taken)
    throw error
  }
}

async function takePort(owner: PortOwner, request: PortRequest): Promise<PortBinding> {
  for (let left = 20; ; left -= 1) {
    const host = await tryPort(request)
    const binding = { ...request, host }
    const holder = await lease(owner, binding)
    if (holder === undefined) return binding
    if (request.host !== undefined || left === 0) throw portTaken(host, `environment ${holder}`)
  }
}

/** The port, once it is known that nobody listens there. */
function tryPort({ host = 0, hostIp, protocol }: PortRequest): Promise<number> {
  return protocol === 'udp' ? tryUdp(host, hostIp) : tryTcp(host, hostIp)
}

function tryTcp(port: number, host: string): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(portTaken(port, undefined, error)))
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : port))
    })
  })
}

function tryUdp(port: number, address: string): Promise<number> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close()
      reject(portTaken(port, undefined, error))
    })
    socket.bind({ port, address, exclusive: true }, () => {
      const { port: bound } = socket.address()
      socket.close(() => resolve(bound))
    })
  })
}

function portTaken(port: number, holder?: string, cause?: unknown): HolmError {
  return new HolmError(
    'HOLM_PORT_TAKEN',
    `port ${port} of this machine is already in use${holder === undefined ? '' : ` by ${holder}`}`,
    {
      hint: 'Choose another host port, or end what listens there.',
      cause,
      details: { port, ...(holder !== undefined && { holder }) },
    },
  )
}

/** Name of the environment that has it; undefined when it is ours now. */
async function lease({ engine, name, folder }: PortOwner, binding: PortBinding): Promise<string | undefined> {
  const file = leaseFile(engine, binding)
  await mkdir(path.dirname(file), { recursive: true })
  for (;;) {
    const made = await writeFile(file, JSON.stringify({ name, folder }), { flag: 'wx' }).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error
        return false
      },
    )
    if (made) return undefined
    const holder = await loadHolder(file)
    const isHeld = holder && ((await isFresh(file)) || (await holds(holder.folder, binding)))
    if (holder && holder.folder !== folder && isHeld) return holder.name
    await rm(file, { force: true })
  }
}

async function loadHolder(file: string): Promise<{ name: string; folder: string } | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '')
  try {
    return JSON.parse(text) as { name: string; folder: string }
  } catch {
    return undefined
  }
}

/** A start writes its ports down a moment after it took them. */
async function isFresh(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined)
  return found !== undefined && Date.now() - found.mtimeMs < 15_000
}

async function holds(folder: string, { host, protocol }: PortBinding): Promise<boolean> {
  const run = await loadRun(folder)
  return run?.ports.some((port) => port.host === host && port.protocol === protocol) ?? false
}

export async function releasePorts(
  { engine, folder }: Omit<PortOwner, 'name'>,
  ports: readonly PortBinding[],
): Promise<void> {
  for (const port of ports) {
    const file = leaseFile(engine, port)
    const holder = await loadHolder(file)
    if (holder?.folder === folder) await rm(file, { force: true })
  }
}
