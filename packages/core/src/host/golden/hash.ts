import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Provider, ProviderContext } from '../../provider.ts'
import type { Base, EnvironmentSpec } from '../../spec.ts'
import { stableJson } from '../blueprint/hash-spec.ts'

/** Raised when provisioning makes something else of the same spec: older golden images are then no longer used. */
export const provisionVersion = 1

/** Is there anything that a golden image would save? */
export function installsAnything({ provision }: Pick<EnvironmentSpec, 'provision'>): boolean {
  const { packages, tools, setup, postInstall, docker } = provision
  return (
    docker === true || packages.length + Object.keys(tools).length + setup.length + postInstall.length > 0
  )
}

export interface GoldenInput {
  readonly spec: EnvironmentSpec
  readonly provider: string
  /** Exactly what the base is, see `identifyBase`. */
  readonly base: string
  /** Numeric id of the caller, for specs that take it over. */
  readonly uid: number | undefined
}

/**
 * Hash of everything that goes into provisioning, and nothing else: no names, ports, mounts, labels or lifecycle. Of secrets only
 * the names count, as their values are never written down.
 */
export function goldenHash({ spec, provider, base, uid }: GoldenInput): string {
  const { provision, env, user, matchUserId, secrets, options } = spec
  const parts = {
    version: provisionVersion,
    provider,
    base,
    provision,
    env,
    user: matchUserId ? [user, spec.exec.user, uid] : user,
    secrets: Object.keys(secrets).toSorted(),
    options: options[provider],
  }
  return createHash('sha256').update(stableJson(parts)).digest('hex')
}

export function goldenName(hash: string): string {
  return `golden-${hash.slice(0, 12)}`
}

/** What the base is, by its content; undefined when this runtime does not hold it yet, so that nobody can tell. */
export async function identifyBase(
  provider: Provider,
  base: Base,
  ctx: ProviderContext,
): Promise<string | undefined> {
  switch (base.kind) {
    case 'host':
      return 'host'
    case 'rootfs':
      return `rootfs ${base.sha256}`
    case 'disk':
      return `disk ${base.sha256}`
    case 'folder':
      return `folder ${base.path} ${await changedAt(base.path)}`
    case 'image':
    case 'build': {
      const held = await provider.images?.inspect(base, ctx)
      if (held) return `image ${held.id}`
      return base.kind === 'image' && !provider.images ? `image ${base.digest ?? base.reference}` : undefined
    }
    default:
      return `${(base as Base).kind} ${stableJson(base)}`
  }
}

/** An unpacked root filesystem has no sum: when its package lists and top folders changed tells it from another state. */
async function changedAt(folder: string): Promise<string> {
  const places = ['', 'etc', 'usr', 'usr/bin', 'var/lib/dpkg/status', 'lib/apk/db/installed']
  const times = await Promise.all(
    places.map((place) =>
      stat(join(folder, place)).then(
        ({ mtimeMs }) => String(mtimeMs),
        () => '-',
      ),
    ),
  )
  return times.join(',')
}
