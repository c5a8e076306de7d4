import { setTimeout } from 'node:timers/promises'
import { isHolmError } from '@holm/core'
import type { HostApi, Uses } from '@holm/core'
import { lookAt } from './activity.ts'

/** A workspace that is put to sleep when nobody used it for so long. */
export interface Sleeper {
  readonly name: string
  readonly idleMs: number
}

export interface WatcherOptions {
  readonly host: HostApi
  /** Asked at every look; it ends when there are none. */
  readonly list: () => readonly Sleeper[]
  /** False: what sleeps is woken by `start` alone. */
  readonly autoStart: boolean
  readonly signal: AbortSignal
  readonly say: (text: string) => void
}

interface Seen {
  readonly activeAt: number
  readonly accepted: number | undefined
}

/** Puts to sleep what nobody uses, until there is nothing to watch or the signal fires. */
export async function watchIdle(options: WatcherOptions): Promise<void> {
  const seen = new Map<string, Seen>()
  for (;;) {
    const sleepers = options.list()
    if (sleepers.length === 0 || options.signal.aborted) return
    for (const sleeper of sleepers) await lookUnlessGone(options, sleeper, seen)
    await setTimeout(pauseOf(sleepers), undefined, { signal: options.signal }).catch(() => undefined)
  }
}

/** Often enough to be late by a tenth, and never so often that looking is work. */
function pauseOf(sleepers: readonly Sleeper[]): number {
  const shortest = Math.min(...sleepers.map(({ idleMs }) => idleMs))
  return Math.min(Math.max(shortest / 10, 200), 30_000)
}

/** One that cannot be looked at now is looked at again; it must not keep the others awake. */
async function lookUnlessGone(
  options: WatcherOptions,
  sleeper: Sleeper,
  seen: Map<string, Seen>,
): Promise<void> {
  try {
    const found = await look(options, sleeper, seen.get(sleeper.name))
    if (found === undefined) seen.delete(sleeper.name)
    else seen.set(sleeper.name, found)
  } catch (error) {
    if (options.signal.aborted) return
    seen.delete(sleeper.name)
    if (!isHolmError(error, 'HOLM_ENVIRONMENT_NOT_FOUND')) options.say(`${sleeper.name}: ${String(error)}`)
  }
}

async function look(
  { host, autoStart, signal, say }: WatcherOptions,
  { name, idleMs }: Sleeper,
  before: Seen | undefined,
): Promise<Seen | undefined> {
  const environment = await host.status(name, { signal })
  if (environment.status !== 'running') return undefined
  host.idle.watch(name)
  const uses = host.idle.uses(name)
  const { busy, accepted } = await lookAt(host, environment, signal)
  const now = Date.now()
  const isActive = busy || isUsed(uses) || accepted !== before?.accepted
  const activeAt = isActive ? now : lastOf(before, uses, now)
  if (now - activeAt < idleMs) return { activeAt, accepted }
  const slept = await host.idle.sleep(name, { unusedSince: activeAt, signal })
  if (slept === undefined) return { activeAt: now, accepted }
  if (!autoStart) host.idle.forget(name)
  say(`${name} was not used for ${Math.round(idleMs / 1000)} s: it is ${slept.status}`)
  return undefined
}

function isUsed(uses: Uses | undefined): boolean {
  return uses !== undefined && uses.sessions > 0
}

/** The first look begins the time. */
function lastOf(before: Seen | undefined, uses: Uses | undefined, now: number): number {
  return Math.max(before?.activeAt ?? now, uses?.lastAt ?? 0)
}
