import { isDeepStrictEqual } from 'node:util'
import { isRecord } from './plain-value.ts'
import { parsePort } from './parse-ports.ts'
import type { BlueprintPort } from '../../blueprint.ts'
import type { BlueprintLayer } from './validate-native.ts'

/** How one key of a child meets the same key of its parent. Keys that are not listed: maps merge, the rest is replaced. */
type MergeRule = (parent: unknown, child: unknown) => unknown

const replace: MergeRule = (_parent, child) => child

/** Lists without repetition, the parent's entries first. */
const union: MergeRule = (parent, child) => {
  const merged: unknown[] = []
  for (const entry of [...asList(parent), ...asList(child)]) {
    if (!merged.some((seen) => isDeepStrictEqual(seen, entry))) merged.push(entry)
  }
  return merged
}

/** All scripts run, the parent's first. */
const append: MergeRule = (parent, child) => [...asList(parent), ...asList(child)]

/** Lists whose entries have an identity: the child's entry takes the place of the parent's with the same one. */
function keyed(identify: (entry: unknown) => string): MergeRule {
  return (parent, child) => {
    const merged = new Map<string, unknown>()
    for (const entry of [...asList(parent), ...asList(child)]) merged.set(identify(entry), entry)
    return [...merged.values()]
  }
}

const mergeRules: Readonly<Record<string, MergeRule>> = {
  base: replace,
  packages: union,
  expose: union,
  'scripts.setup': append,
  'scripts.postInstall': append,
  ports: keyed(identifyPort),
  volumes: keyed((entry) => String((entry as { mount: unknown }).mount)),
  bind_mounts: keyed((entry) => String((entry as { container: unknown }).container)),
  tmpfs: keyed((entry) =>
    typeof entry === 'string' ? (entry.split(':')[0] ?? entry) : String((entry as { mount: unknown }).mount),
  ),
  'lifecycle.initialize': replace,
  'lifecycle.onCreate': replace,
  'lifecycle.updateContent': replace,
  'lifecycle.postCreate': replace,
  'lifecycle.postStart': replace,
  'lifecycle.postAttach': replace,
  'security.capAdd': union,
  'security.capDrop': union,
  'security.securityOpt': union,
  'security.devices': union,
  'services.*.depends_on': union,
  'services.*.ports': keyed(identifyPort),
  'services.*.healthcheck': replace,
  'secrets.*': replace,
  wslConfig: replace,
  wslConfigCustom: replace,
}

/** What a file says of itself and its children do not get. */
const notInherited = new Set(['$schema', 'name', 'extends'])

/**
 * Two layers to one, the child's over the parent's: maps merge key by key, lists join without repetition, scripts run one after
 * the other, other values are replaced, and `null` removes what the parent says.
 */
export function mergeLayers(parent: BlueprintLayer, child: BlueprintLayer): BlueprintLayer {
  const inherited = Object.fromEntries(Object.entries(parent).filter(([key]) => !notInherited.has(key)))
  return mergeMaps(inherited, child, '')
}

function mergeMaps(parent: BlueprintLayer, child: BlueprintLayer, path: string): BlueprintLayer {
  const merged = new Map(Object.entries(parent))
  for (const [key, value] of Object.entries(child)) {
    const before = merged.get(key)
    if (value === null) merged.delete(key)
    else
      merged.set(
        key,
        before === undefined || before === null ? value : mergeValue(before, value, childPath(path, key)),
      )
  }
  return Object.fromEntries(merged)
}

function mergeValue(parent: unknown, child: unknown, path: string): unknown {
  const rule = mergeRules[path]
  if (rule !== undefined) return rule(parent, child)
  return isRecord(parent) && isRecord(child) ? mergeMaps(parent, child, path) : child
}

/** Names that the user chooses become `*`, as in blueprint-keys.ts. */
function childPath(path: string, key: string): string {
  if (path === '') return key
  return path === 'services' || path === 'secrets' ? `${path}.*` : `${path}.${key}`
}

function identifyPort(entry: unknown): string {
  const ports = parsePort(entry as number | string | BlueprintPort)
  return ports.map((port) => `${port.container}/${port.protocol}`).join()
}

function asList(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}
