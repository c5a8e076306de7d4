import { setTimeout } from 'node:timers/promises'
import { isHolmError, notRunning } from '@holm/core'
import type { EnvironmentInfo, HostApi } from '@holm/core'
import type { Exec } from '../services/inside.ts'
import { createWaker } from '../pause/waker.ts'
import { createForwardSet, type ForwardEvent, type ForwardSet } from './forward-set.ts'
import type { ListeningPort } from './listening.ts'
import { watchPorts } from './watch.ts'
import type { PortWish } from './wish.ts'

export interface ForwarderOptions {
  readonly host: HostApi
  readonly environment: EnvironmentInfo
  /** These; empty: everything that listens, as it comes and goes. */
  readonly wishes: readonly PortWish[]
  readonly signal: AbortSignal
  readonly emit: (event: ForwardEvent) => void
}

/** What is known now. */
interface Situation {
  environment: EnvironmentInfo
  /** Ports that something inside listens on. */
  listening: ReadonlySet<number>
}

/** Forwards until the signal fires; then everything is closed and given back. HOLM_ENVIRONMENT_NOT_FOUND when it is removed meanwhile. */
export async function forwardPorts(options: ForwarderOptions): Promise<void> {
  const { host, environment, wishes, signal, emit } = options
  const { name } = environment
  const now: Situation = { environment, listening: new Set() }
  const exec: Exec = (request) => host.exec({ ...request, environment: name, signal })
  // Who only looks does not use it.
  const look: Exec = (request) => host.exec({ ...request, environment: name, signal, unattended: true })
  const wake = createWaker(host.idle, signal)
  const forwards = createForwardSet({
    ports: host.ports,
    environment: name,
    // Where everything listens on this machine, only what is the environment's own may be reached.
    route: async (inside) => {
      // Nobody answers in what was paused, and what was stopped may have another address now.
      if (await wake(name)) now.environment = await host.status(name, { signal })
      return isShared(now.environment) && !now.listening.has(inside)
        ? undefined
        : { address: now.environment.address, exec }
    },
    emit,
  })
  const onPorts = wishes.length > 0 ? remember(now) : createNoticer({ now, forwards, emit })
  try {
    for (const wish of wishes) await forwards.open(wish)
    while (!signal.aborted) {
      const shared = isShared(now.environment)
      await watchPorts({ exec: look, shared, user: now.environment.user, signal, onPorts }).catch(
        passOver(signal),
      )
      if (signal.aborted) return
      await onPorts([])
      now.environment = await awaitRunning(host, name, signal)
    }
  } finally {
    await forwards.keep(new Set())
  }
}

function isShared({ address }: EnvironmentInfo): boolean {
  return address === '127.0.0.1'
}

type OnPorts = (ports: readonly ListeningPort[]) => Promise<void>

function remember(now: Situation): OnPorts {
  return async (ports) => {
    now.listening = new Set(ports.map(({ port }) => port))
  }
}

interface Noticing {
  readonly now: Situation
  readonly forwards: ForwardSet
  readonly emit: ForwarderOptions['emit']
}

/** Forwards that nobody asked for by number: what is inside must not use up the ports of this machine. */
const mostNoticed = 64

function createNoticer({ now, forwards, emit }: Noticing): OnPorts {
  const note = remember(now)
  let warned = false
  const problem = (inside: number | null, message: string): void =>
    emit({ event: 'problem', environment: now.environment.name, inside, message })
  return async (ports) => {
    await note(ports)
    await forwards.keep(now.listening)
    for (const { port, process } of ports) {
      if (forwards.has(port) || isPublished(now.environment, port)) continue
      if (forwards.size >= mostNoticed) {
        if (!warned)
          problem(
            null,
            `more than ${mostNoticed} ports listen: the rest is not forwarded; name those you need`,
          )
        warned = true
        return
      }
      await forwards.open({ inside: port }, process).catch((error: unknown) => {
        if (!isHolmError(error, 'HOLM_PORT_TAKEN')) throw error
        problem(port, error.message)
      })
    }
  }
}

/** An environment that ends takes the look inside with it. */
function passOver(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (signal.aborted || isHolmError(error, 'HOLM_ENVIRONMENT_NOT_RUNNING')) return
    throw error
  }
}

const pollMs = 1000

async function awaitRunning(host: HostApi, name: string, signal: AbortSignal): Promise<EnvironmentInfo> {
  for (;;) {
    await setTimeout(pollMs, undefined, { signal }).catch(() => undefined)
    const environment = await host.status(name)
    if (environment.status === 'running' || signal.aborted) return environment
  }
}

export function isPublished({ ports }: EnvironmentInfo, port: number): boolean {
  return ports.some(({ container, protocol }) => container === port && protocol === 'tcp')
}

/** The environment, which must run. */
export async function findRunning(
  host: HostApi,
  name: string | undefined,
  { cwd, signal }: { readonly cwd: string; readonly signal: AbortSignal },
): Promise<EnvironmentInfo> {
  const environment = await host.status(name, { projectFolder: cwd, signal })
  if (environment.status !== 'running') throw notRunning(environment.name)
  return environment
}
