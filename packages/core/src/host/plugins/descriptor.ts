import { HolmError } from '../../errors.ts'
import type { PluginInfo } from '../../host-api.ts'
import { contractVersion, type PluginDefinition, type PluginManifest } from '../../plugin.ts'

/** What the host knows of a plugin before it is imported. */
export interface PluginDescriptor {
  /** The npm package's name; for a single module its path. */
  readonly name: string
  readonly version: string
  readonly id: string
  readonly kind: PluginManifest['kind']
  readonly origin: PluginInfo['origin']
  /** Absolute folder of the package, or the file of a single module. Empty for an inline definition. */
  readonly path: string
  readonly manifest: PluginManifest
  /** No manifest says what it registers: a single module or an inline definition. It is imported whenever it may matter. */
  readonly unlisted?: true
  /** The plugin itself, when the configuration holds it. */
  readonly definition?: PluginDefinition
  /** The second half of `[specifier, options]`; wins over the section `plugin.<id>`. */
  readonly options?: unknown
  /** Why it cannot be used. Listing shows it, using it throws it. */
  readonly error?: HolmError
}

/** Why a plugin of this manifest cannot run here; checked before anything of it is imported. */
export function checkFit(
  plugin: { readonly name: string; readonly manifest: PluginManifest },
  platform: NodeJS.Platform = process.platform,
): HolmError | undefined {
  const { contract, platforms } = plugin.manifest
  if (contract !== contractVersion) {
    const newer = contract > contractVersion
    const message = `plugin ${plugin.name} is written for contract ${contract}, this holm has ${contractVersion}`
    return new HolmError('HOLM_PLUGIN_CONTRACT', message, {
      plugin: plugin.name,
      hint: newer ? 'Upgrade holm.' : `Install a newer version: holm plugins install ${plugin.name}@latest`,
      details: { contract, supported: contractVersion },
    })
  }
  if (platforms && !platforms.includes(platform)) {
    const message = `plugin ${plugin.name} runs on ${platforms.join(', ')}, not on ${platform}`
    return new HolmError('HOLM_PLUGIN_PLATFORM', message, {
      plugin: plugin.name,
      hint: 'Use it on a machine of that platform.',
      details: { platforms, platform },
    })
  }
  return undefined
}

/** What `plugins list` shows. */
export function describePlugin(descriptor: PluginDescriptor): PluginInfo {
  const { name, id, kind, version, origin, path, manifest, error } = descriptor
  return {
    name,
    id,
    kind,
    version,
    origin,
    path,
    commands: (manifest.commands ?? []).map((command) => command.id),
    hooks: manifest.hooks ?? [],
    ...(error && {
      error: { code: error.code, message: error.message, ...(error.hint && { hint: error.hint }) },
    }),
  }
}
