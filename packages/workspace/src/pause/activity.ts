import type { EnvironmentInfo, HostApi } from '@holm/core'
import { ask, script } from '../services/inside.ts'

/** What was seen of an environment at one look. */
export interface Activity {
  /** Somebody outside is connected to something that listens inside, or it computes. */
  readonly busy: boolean
  /** How many connections were ever accepted in its network; undefined where that network is not its own. */
  readonly accepted: number | undefined
}

/** Percent of one core from which on it computes: a dev server that waits stays far below. */
const busyPercent = 5

/** One look, which is no use of the environment. */
export async function lookAt(
  host: HostApi,
  { name, address }: EnvironmentInfo,
  signal: AbortSignal,
): Promise<Activity> {
  const sample = await host.metrics(name, { signal })
  const exec = (request: Parameters<typeof ask>[1]) =>
    host.exec({ ...request, environment: name, signal, unattended: true })
  const { stdout } = await ask(exec, script(connections, []), patienceMs)
  const seen = parseConnections(stdout)
  // Where the network is this machine's, connections of everybody are in the list: only those who compute are told apart.
  const shared = address === '127.0.0.1'
  return {
    busy: (sample?.cpuPercent ?? 0) >= busyPercent || (!shared && seen.fromOutside > 0),
    accepted: shared ? undefined : seen.accepted,
  }
}

const patienceMs = 20_000

/** The kernel's own lists of what listens and is connected, and its count of accepted connections. */
const connections = `
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r _ local remote state _; do
  case $state in 01|0A) echo "$state $local $remote" ;; esac
done
while read -r kind _ _ _ _ _ passive _; do [ "$kind" = Tcp: ] && echo "accepted $passive"; done </proc/net/snmp
:`

/** Connections to what listens, less those that begin and end inside. */
export function parseConnections(output: string): { fromOutside: number; accepted: number | undefined } {
  const words = output.split('\n').map((line) => line.split(' '))
  const portOf = (place = ''): string => place.slice(place.lastIndexOf(':') + 1)
  const listening = new Set(words.filter(([state]) => state === '0A').map(([, local]) => portOf(local)))
  const open = words.filter(([state]) => state === '01')
  const ends = new Set(open.map(([, local]) => local))
  const accepted = words.findLast(([kind, count = '']) => kind === 'accepted' && /^\d+$/.test(count))?.[1]
  return {
    fromOutside: open.filter(([, local, remote]) => listening.has(portOf(local)) && !ends.has(remote)).length,
    accepted: accepted === undefined ? undefined : Number(accepted),
  }
}
