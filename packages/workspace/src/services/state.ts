import type { CompanionInfo, ServiceSpec } from '@holm/core'

/** 'waiting': ended, and about to be started again. 'exited': ended by itself. 'stopped': ended by holm, or never started. */
export type ServiceState = 'running' | 'waiting' | 'exited' | 'stopped'

/** A service as its supervisor last said. */
export interface ServiceStatus {
  readonly name: string
  readonly state: ServiceState
  /** Of its last end. */
  readonly exitCode: number | undefined
  readonly restarts: number
}

const words: ReadonlySet<string> = new Set<ServiceState>(['running', 'waiting', 'exited', 'stopped'])

/** The lines of `look` for the services of a blueprint, in its order; what was never started is stopped. */
export function parseLook(output: string, services: readonly ServiceSpec[]): ServiceStatus[] {
  const lines = new Map(
    output.split('\n').map((line) => [line.split(' ')[0] ?? '', line.split(' ').slice(1)]),
  )
  return services.map(({ name }) => {
    const [alive, state = '', code = '', restarts = '0'] = lines.get(name) ?? []
    if (!words.has(state)) return { name, state: 'stopped', exitCode: undefined, restarts: 0 }
    const lost = alive !== 'alive' && (state === 'running' || state === 'waiting')
    return {
      name,
      // A supervisor that is gone without a word was killed, or the environment was restarted.
      state: lost ? 'stopped' : (state as ServiceState),
      exitCode: state === 'running' ? undefined : Number(code),
      restarts: Number(restarts),
    }
  })
}

/**
 * What the runtime says of a service that runs beside its environment. One that ended before the environment was started last is
 * stopped: a task is done again, as one inside would be lost.
 */
export function companionStatus(
  { name, restart }: ServiceSpec,
  info: CompanionInfo | undefined,
  environmentStartedAt: string | undefined,
): ServiceStatus {
  if (info === undefined) return { name, state: 'stopped', exitCode: undefined, restarts: 0 }
  const { status, exitCode, restarts } = info
  if (status === 'running' || status === 'paused')
    return { name, state: 'running', exitCode: undefined, restarts }
  if (!endedByItself(info, environmentStartedAt)) return { name, state: 'stopped', exitCode, restarts }
  // The runtime starts it again when it will; what ended well under "on-failure" it leaves.
  const again = restart === 'always' || (restart === 'on-failure' && exitCode !== 0)
  return { name, state: again ? 'waiting' : 'exited', exitCode, restarts }
}

function endedByItself({ exitCode, halted, startedAt }: CompanionInfo, since: string | undefined): boolean {
  if (exitCode === undefined || startedAt === undefined || halted) return false
  return since === undefined || startedAt >= since
}

/** The lines of `listening`. */
export function parseListening(output: string): ReadonlySet<number> {
  return new Set(
    output
      .split('\n')
      .filter((line) => /^[0-9A-F]{4}$/.test(line))
      .map((line) => Number.parseInt(line, 16)),
  )
}
