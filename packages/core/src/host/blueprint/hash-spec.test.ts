import { describe, expect, it } from 'vitest'
import { diffSpecs, hashSpec } from './hash-spec.ts'
import { toSpec } from './to-spec.ts'
import { fillBlueprint } from './load-blueprint.ts'
import type { Blueprint } from '../../blueprint.ts'
import type { EnvironmentSpec } from '../../spec.ts'

function specOf(blueprint: Blueprint, place: { project?: string; name?: string } = {}): EnvironmentSpec {
  const { project = '/app', name = 'app' } = place
  const loaded = {
    source: `${project}/holm.yaml`,
    format: 'native',
    project,
    directory: project,
    warnings: [],
    defaultName: name,
  } as const
  return toSpec(fillBlueprint(loaded, blueprint), { base: { kind: 'host' }, env: {}, labels: { a: name } })
    .spec
}

describe('hashSpec', () => {
  it('does not depend on the order of keys', () => {
    const one = specOf({ environment: { A: '1', B: '2' }, tools: { node: '20', go: '1' } })
    const other = specOf({ tools: { go: '1', node: '20' }, environment: { B: '2', A: '1' } })
    expect(hashSpec(one)).toMatch(/^[0-9a-f]{64}$/)
    expect(hashSpec(other)).toBe(hashSpec(one))
  })

  it('depends on the place only where a mount does, and not on name, labels and description', () => {
    const alone = { project: false } as const
    expect(hashSpec(specOf({ ...alone, description: 'x' }, { project: '/b', name: 'b' }))).toBe(
      hashSpec(specOf(alone)),
    )
    expect(diffSpecs(specOf({}), specOf({}, { project: '/b' }))).toEqual(['mounts'])
  })

  const changes: Readonly<Record<string, Blueprint>> = {
    packages: { packages: ['git'] },
    tools: { tools: { node: '22' } },
    scripts: { scripts: { setup: 'x' } },
    environment: { environment: { A: '1' } },
    ports: { ports: [80] },
    expose: { expose: [80] },
    network: { network: 'none' },
    hostname: { hostname: 'other' },
    mounts: { volumes: [{ mount: '/v' }] },
    resources: { resources: { cpus: 1 } },
    user: { user: 'dev' },
    workdir: { workdir: '/x' },
    security: { security: { privileged: true } },
    lifecycle: { lifecycle: { postStart: 'x' } },
    services: { services: { a: { command: 'x' } } },
    secrets: { secrets: { A: 'env:A' } },
    providers: { providers: { docker: {} } },
    docker: { docker: true },
  }

  it.each(Object.entries(changes))('changes with %s and says so', (name, change) => {
    const before = specOf({})
    const after = specOf(change)
    expect(diffSpecs(before, after)).toEqual([name])
    expect(hashSpec(after)).not.toBe(hashSpec(before))
  })

  it('changes with every part of a spec but the ones that are left out', () => {
    const spec = specOf({ description: 'd', user: 'u' })
    const leftOut = new Set(['name', 'description', 'origin', 'labels'])
    for (const key of Object.keys(spec).filter((key) => !leftOut.has(key))) {
      const changed = { ...spec, [key]: mutate(spec[key as keyof EnvironmentSpec]) } as EnvironmentSpec
      expect(diffSpecs(spec, changed), key).not.toEqual([])
    }
  })

  it('sees a changed base', () => {
    expect(diffSpecs(specOf({}), { ...specOf({}), base: { kind: 'image', reference: 'x' } })).toEqual([
      'base',
    ])
  })
})

/** Another value of the same kind, deep enough that a part which looks at inner keys sees it. */
function mutate(value: unknown): unknown {
  if (typeof value === 'boolean') return !value
  if (Array.isArray(value)) return [...(value as unknown[]), 'more']
  if (typeof value !== 'object' || value === null) return `${String(value)}-changed`
  const entries = Object.entries(value)
  if (entries.length === 0) return { more: '1' }
  return Object.fromEntries(entries.map(([key, entry]) => [key, mutate(entry)]))
}
