import { createRequire } from 'node:module'
import { readManifest } from './package-files.ts'
import type { HolmEvent, HostApi } from '@holm/core'

export interface OpenHostOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly onEvent: (event: HolmEvent) => void
}

export type OpenHost = (options: OpenHostOptions) => Promise<HostApi>

/** The host with the plugins that ship with the CLI. Nothing of it is loaded before this is called. */
export const openHost: OpenHost = async ({ cwd, env, onEvent }) => {
  const { createHost } = await import('@holm/core/host')
  return createHost({ cwd, env, onEvent, bundled: listBundledPlugins() })
}

/** Paths of the package.json files that the `holm.bundled` key of the CLI's own package.json names. */
function listBundledPlugins(): string[] {
  const require = createRequire(import.meta.url)
  return readManifest().holm.bundled.map((name) => require.resolve(`${name}/package.json`))
}
