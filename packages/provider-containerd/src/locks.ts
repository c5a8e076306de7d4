import path from 'node:path'
import type { Target } from './environment.ts'
import { withLock } from './lock.ts'
import { identifier } from './names.ts'

/** Changes of one environment are made one after another, whoever makes them. */
export function withEnvironmentLock<T>({ engine, name, ctx }: Target, work: () => Promise<T>): Promise<T> {
  const file = path.join(engine.folder, 'locks', `environment-${identifier(name)}`)
  return withLock({ file, what: `the environment "${name}"`, signal: ctx.signal }, work)
}
