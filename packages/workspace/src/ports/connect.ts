import { connect, type Socket } from 'node:net'
import type { Process } from '@holm/core'
import { script, type Exec } from '../services/inside.ts'
import { relay } from './scripts.ts'

/** How a connection from here gets inside. */
export interface Route {
  /** Where this machine reaches what listens inside, if anywhere. */
  readonly address: string | undefined
  readonly exec: Exec
}

/** How long an address of this machine may take to answer, milliseconds. */
const patienceMs = 1000

/** Joins a client to a port inside: directly where the address answers, else through a program inside. */
export async function join(client: Socket, port: number, { address, exec }: Route): Promise<void> {
  const direct = await reach(port, address)
  if (client.destroyed) return void direct?.destroy()
  if (direct) return joinSockets(client, direct)
  joinProcess(client, await exec({ ...script(relay, [String(port)]), stdin: 'pipe' }))
}

async function reach(port: number, address: string | undefined): Promise<Socket | undefined> {
  if (address === undefined) return undefined
  const addresses = address === '127.0.0.1' ? [address, '::1'] : [address]
  for (const host of addresses) {
    const socket = await dial(host, port)
    if (socket) return socket
  }
  return undefined
}

function dial(host: string, port: number): Promise<Socket | undefined> {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true })
  return new Promise((resolve) => {
    const end = (found: Socket | undefined): void => {
      clearTimeout(timer)
      socket.removeAllListeners()
      if (!found) socket.on('error', () => undefined).destroy()
      resolve(found)
    }
    const timer = setTimeout(end, patienceMs, undefined)
    socket.once('connect', () => end(socket)).once('error', () => end(undefined))
  })
}

/** Either end may be closed alone, as TCP has it; when one breaks, the other does. */
function joinSockets(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('error', () => to.resetAndDestroy())
    from.on('close', () => to.destroySoon())
    from.pipe(to)
  }
}

function joinProcess(client: Socket, process: Process): void {
  const { stdin, stdout, stderr } = process
  stderr.resume()
  stdin?.on('error', () => undefined)
  stdout.on('error', () => client.destroy())
  client.on('error', () => undefined)
  client.on('close', () => void process.kill('SIGKILL').catch(() => undefined))
  if (stdin) client.pipe(stdin)
  let answered = false
  stdout.once('data', () => (answered = true))
  stdout.pipe(client, { end: false })
  const end = (): void => {
    client.end()
    // Nobody is inside to whom the client could still write.
    client.destroySoon()
  }
  // A program that failed before it said anything did not reach the port.
  process.exited.then(({ code }) => (code === 0 || answered ? end() : client.resetAndDestroy()), end)
}
