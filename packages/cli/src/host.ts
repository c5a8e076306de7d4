import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { HolmError } from '@holm/core'
import { readManifest } from './package-files.ts'
import type { HolmEvent, HostApi } from '@holm/core'
import type { HostOptions } from '@holm/core/host'

export interface OpenHostOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly onEvent: (event: HolmEvent) => void
  /** Absent: as modules. */
  readonly importBundled?: NonNullable<HostOptions['importBundled']>
}

export type OpenHost = (options: OpenHostOptions) => Promise<HostApi>

let explain: ((cause: unknown) => HolmError) | undefined

/** The error for what nobody caught. Without a host no plugin has run, and it can only be a bug. */
export function explainEscape(cause: unknown): HolmError {
  if (explain) return explain(cause)
  const message = cause instanceof Error ? cause.message : String(cause)
  return new HolmError('HOLM_BUG', message, { cause, hint: 'Run it again with -v, and report the output.' })
}

/** The host with the plugins that ship with the CLI. Nothing of it is loaded before this is called. */
export const openHost: OpenHost = async ({ cwd, env, onEvent, importBundled }) => {
  const { createHost, escapedError } = await import('@holm/core/host')
  explain = escapedError
  return createHost({ cwd, env, onEvent, bundled: listBundledPlugins(onEvent), importBundled })
}

/**
 * Paths of the package.json files that the `holm.bundled` key of the CLI's own package.json names. One that is not there, as after an
 * installation that was cut short, is told and done without.
 */
function listBundledPlugins(onEvent: OpenHostOptions['onEvent']): string[] {
  return readManifest().holm.bundled.flatMap((name) => {
    const path = findPackageJson(name, import.meta.dirname)
    if (path !== undefined) return [path]
    const message = `the plugin ${name} that comes with holm is missing`
    onEvent({ type: 'warning', message, hint: 'Install holm again.' })
    return []
  })
}

/** Looks where Node would, without its resolver: that one reads `exports` and costs more than the rest of a command. */
function findPackageJson(name: string, from: string): string | undefined {
  const candidate = join(from, 'node_modules', name, 'package.json')
  if (existsSync(candidate)) return candidate
  const parent = dirname(from)
  return parent === from ? undefined : findPackageJson(name, parent)
}
