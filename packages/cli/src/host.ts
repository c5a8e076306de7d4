import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { HolmError } from '@holm/core'
import { readManifest } from './package-files.ts'
import type { HolmEvent, HostApi } from '@holm/core'

export interface OpenHostOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly onEvent: (event: HolmEvent) => void
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
export const openHost: OpenHost = async ({ cwd, env, onEvent }) => {
  const { createHost, escapedError } = await import('@holm/core/host')
  explain = escapedError
  return createHost({ cwd, env, onEvent, bundled: listBundledPlugins() })
}

/** Paths of the package.json files that the `holm.bundled` key of the CLI's own package.json names. */
function listBundledPlugins(): string[] {
  return readManifest().holm.bundled.map((name) => findPackageJson(name, import.meta.dirname))
}

/** Looks where Node would, without its resolver: that one reads `exports` and costs more than the rest of a command. */
function findPackageJson(name: string, from: string): string {
  const candidate = join(from, 'node_modules', name, 'package.json')
  if (existsSync(candidate)) return candidate
  const parent = dirname(from)
  if (parent !== from) return findPackageJson(name, parent)
  throw new HolmError('HOLM_PLUGIN_NOT_FOUND', `the plugin ${name} that comes with holm is missing`, {
    hint: 'Install holm again.',
    plugin: name,
  })
}
