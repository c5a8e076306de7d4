import type { EnvironmentSpec } from '../../spec.ts'
import { sha256 } from '../digest.ts'

type SpecPart = (spec: EnvironmentSpec) => unknown

/**
 * What makes an environment the one it is, by the word a person would look for in the blueprint. Left out: name, description,
 * origin and labels, which may change without a change inside. A host name that only follows the name is left out too.
 */
const specParts: Readonly<Record<string, SpecPart>> = {
  base: (spec) => spec.base,
  hostname: (spec) => (spec.hostname === spec.name ? null : spec.hostname),
  user: (spec) => [spec.user, spec.exec.user, spec.matchUserId],
  workdir: (spec) => spec.exec.workdir,
  command: (spec) => [spec.main, spec.init, ...(spec.companion ? [spec.companion] : [])],
  environment: (spec) => [spec.env, spec.exec.env, spec.exec.probe],
  // What is made for this environment alone follows from the rest.
  mounts: (spec) => spec.mounts.filter((mount) => mount.type !== 'volume' || mount.own !== true),
  ports: (spec) => spec.ports,
  expose: (spec) => spec.expose,
  network: (spec) => (spec.aliases === undefined ? spec.network : [spec.network, spec.aliases]),
  resources: (spec) => spec.resources,
  security: (spec) => spec.security,
  packages: (spec) => spec.provision.packages,
  tools: (spec) => spec.provision.tools,
  scripts: (spec) => [spec.provision.setup, spec.provision.postInstall],
  lifecycle: (spec) => [spec.lifecycle, spec.shutdown],
  services: (spec) => spec.services,
  secrets: (spec) => spec.secrets,
  providers: (spec) => spec.options,
}

/** Parts that only count where there is something to tell: who has none keeps the hash of before there were any. */
const rareParts: Readonly<Record<string, SpecPart>> = {
  docker: (spec) => spec.nestedDocker,
}

/** SHA-256 (64 hex digits) of everything that makes the environment; the order of keys does not matter. */
export function hashSpec(spec: EnvironmentSpec): string {
  const parts = [
    ...Object.entries(specParts).map(([name, part]) => [name, part(spec)]),
    ...Object.entries(rareParts).flatMap(([name, part]) =>
      part(spec) === undefined ? [] : [[name, part(spec)]],
    ),
  ]
  return sha256(stableJson(parts))
}

/** Words for what differs: `['packages', 'ports']`. Empty exactly when the hashes are equal. */
export function diffSpecs(before: EnvironmentSpec, after: EnvironmentSpec): string[] {
  return Object.entries({ ...specParts, ...rareParts }).flatMap(([name, part]) =>
    stableJson(part(before)) === stableJson(part(after)) ? [] : [name],
  )
}

/** JSON with sorted keys, so that equal data is equal text. */
export function stableJson(value: unknown): string {
  return (
    JSON.stringify(value, (_key, entry: unknown) => {
      if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return entry
      return Object.fromEntries(Object.entries(entry).toSorted(([left], [right]) => (left < right ? -1 : 1)))
    }) ?? 'null'
  )
}
