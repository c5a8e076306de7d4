import path from 'node:path'
import { isHolmError } from '@holm/core'
import type { Target } from './environment.ts'
import { isAwaited, withLock } from './lock.ts'
import { identifier } from './names.ts'

/** Changes of one environment are made one after another, whoever makes them. */
export function withEnvironmentLock<T>({ engine, name, ctx }: Target, work: () => Promise<T>): Promise<T> {
  return withLock({ file: fileOf(engine, name), what: whatOf(name), signal: ctx.signal }, work)
}

/** The same for what can be left to whoever works on it: nothing is done then. */
export async function tryEnvironmentLock(
  { engine, name, ctx }: Target,
  work: () => Promise<void>,
): Promise<void> {
  const file = fileOf(engine, name)
  if (isAwaited(file)) return
  try {
    await withLock({ file, what: whatOf(name), signal: ctx.signal, timeoutMs: 0 }, work)
  } catch (error) {
    if (!isHolmError(error, 'HOLM_ENVIRONMENT_BUSY')) throw error
  }
}

function fileOf(engine: Target['engine'], name: string): string {
  return path.join(engine.folder, 'locks', `environment-${identifier(name)}`)
}

function whatOf(name: string): string {
  return `the environment "${name}"`
}
