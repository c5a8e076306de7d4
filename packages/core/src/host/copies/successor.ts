import { HolmError } from '../../errors.ts'
import type { Successor } from '../../copies-api.ts'
import type { EnvironmentSpec } from '../../spec.ts'
import { hashSpec } from '../blueprint/index.ts'
import { reownMounts } from '../docker/index.ts'
import { serviceNetwork } from '../blueprint/service-network.ts'
import { labelsOf } from '../environment/labels.ts'
import type { EnvironmentRecord } from '../state/index.ts'

/** The record of what takes the place of an environment, under another name: all that is known of it stays known. Pure. */
export function successorOf(
  origin: EnvironmentRecord,
  name: string,
  { moved, env }: Successor,
): EnvironmentRecord {
  if (origin.details.owned !== undefined) throw ownsFolders(origin)
  const record = lead(origin, moved)
  const { spec, declared, overlay, userEnv, ...details } = record.details
  const own = spec && renamed(spec, name, env)
  const base = declared && renamed(declared, name, env)
  const wanted = base ?? own
  const hash = wanted === undefined ? record.hash : hashSpec(wanted)
  const label = (each: EnvironmentSpec): EnvironmentSpec => ({
    ...each,
    labels: { ...each.labels, ...labelsOf({ namespace: record.namespace, spec: each, hash }) },
  })
  return {
    ...record,
    name,
    phase: 'creating',
    hash,
    createdAt: new Date().toISOString(),
    details: {
      ...details,
      ...(own && { spec: label(own) }),
      ...(base && { declared: label(base) }),
      ...(overlay && { overlay: { ...overlay, env: { ...overlay.env, ...env } } }),
      ...(userEnv && { userEnv: withKnown(userEnv, env) }),
    },
  }
}

function ownsFolders({ name }: EnvironmentRecord): HolmError {
  return new HolmError(
    'HOLM_USAGE',
    `${name} has folders of holm's that go with it: it can have no successor`,
    {
      hint: `Clone it, then remove it: holm clone ${name} NAME`,
      details: { name },
    },
  )
}

function renamed(
  spec: EnvironmentSpec,
  name: string,
  env: Readonly<Record<string, string>>,
): EnvironmentSpec {
  const hostname = spec.hostname === spec.name ? name : spec.hostname
  return {
    ...spec,
    name,
    hostname,
    mounts: reownMounts(spec.mounts, name),
    ...(spec.aliases && {
      aliases: spec.aliases.map((alias) => (alias === spec.hostname ? hostname : alias)),
    }),
    network: spec.network === serviceNetwork(spec.name) ? serviceNetwork(name) : spec.network,
    exec: { ...spec.exec, env: { ...spec.exec.env, ...env } },
  }
}

/** Only what was there before. */
function withKnown(
  values: Readonly<Record<string, string>>,
  others: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, others[key] ?? value]))
}

/** Every path at or below a folder that was moved, wherever it stands. */
function lead<Value>(value: Value, moved: Successor['moved']): Value {
  const text = JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'string' ? leadPath(each, moved) : each,
  )
  return JSON.parse(text) as Value
}

function leadPath(path: string, moved: Successor['moved']): string {
  for (const [from, to] of Object.entries(moved))
    if (path === from || path.startsWith(`${from}/`)) return `${to}${path.slice(from.length)}`
  return path
}
