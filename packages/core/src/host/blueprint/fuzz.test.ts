import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { isHolmError } from '../../errors.ts'
import { assertBlueprintLayer, withoutNulls } from './validate-native.ts'
import { builtinPath, listBuiltinNames } from './builtins.ts'
import { hashSpec } from './hash-spec.ts'
import { loadFromText } from './devcontainer/load-devcontainer.ts'
import { mergeLayers } from './merge-layers.ts'
import { parseDocument } from './parse-document.ts'
import { toServices } from './to-services.ts'
import { toSpec } from './to-spec.ts'
import { fillBlueprint } from './load-blueprint.ts'
import type { Blueprint } from '../../blueprint.ts'
import type { LoadedBlueprint } from './loaded-blueprint.ts'

/** mulberry32: the same numbers in every run. */
function createRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const strange: readonly unknown[] = [
  null,
  '',
  ' ',
  0,
  -1,
  1e308,
  3.5,
  true,
  [],
  {},
  [[]],
  [null],
  { a: null },
  { constructor: 1, toString: 'x' },
  'x'.repeat(300),
  '\u0000',
  '${localEnv:X}',
  '${',
  '../..',
  '/..',
  'a:b:c:d',
  '-1:-1',
  '日本\u202E',
  ['--', '-p'],
  [{ container: 80 }],
  { target: '/x' },
]
const pieces = [
  '{',
  '}',
  '[',
  ']',
  ':',
  ': ',
  '\n',
  '  ',
  '- ',
  '"',
  "'",
  '&a ',
  '*a',
  '!!x ',
  '<<: ',
  '|',
  '>',
  '#',
  '\t',
  '\r',
  '\u0000',
  '%',
  '@',
  '`',
  ',',
  '=',
  '[[',
  '\uFEFF',
  '1e999',
  'null',
]

type Random = (below: number) => number

/** Replaces, removes, renames or adds something at a random place of a value. */
function mutateValue(value: unknown, random: Random): unknown {
  if (random(4) === 0 || typeof value !== 'object' || value === null) return strange[random(strange.length)]
  if (Array.isArray(value)) {
    const copy = [...(value as unknown[])]
    const index = random(copy.length + 1)
    copy.splice(index, 1, mutateValue(copy[index], random))
    return copy
  }
  const entries = Object.entries(value)
  const index = random(entries.length + 1)
  const [key = 'extra', inner] = entries[index] ?? []
  const renamed = random(6) === 0 ? `${key.slice(1)}x` : key
  return Object.fromEntries([...entries.toSpliced(index, 1), [renamed, mutateValue(inner, random)]])
}

function mutateText(text: string, random: Random): string {
  const at = random(text.length + 1)
  return text.slice(0, at) + (pieces[random(pieces.length)] ?? '') + text.slice(at + random(4))
}

const devcontainer = {
  image: 'x',
  build: { dockerfile: 'D', args: { A: 'b' }, cacheFrom: ['x'] },
  runArgs: ['--cap-add=A', '-p', '80:80', '--memory', '1g', '-v', 'a:/b'],
  mounts: ['source=a,target=/b', { type: 'bind', source: '/x', target: '/y' }],
  containerEnv: { A: '${localEnv:B}' },
  remoteEnv: { A: null },
  forwardPorts: [80, 'db:1'],
  appPort: ['80:80'],
  workspaceMount: 'type=bind,source=/x,target=/y',
  workspaceFolder: '/y',
  hostRequirements: { cpus: 1, memory: '1gb', gpu: 'optional' },
  onCreateCommand: { a: 'x', b: ['y'] },
  waitFor: 'onCreateCommand',
}

const full: Blueprint = {
  base: { dockerfile: 'x', args: { A: 'b' } },
  ports: [80, '1:2', { container: 3, hostIp: '::1' }],
  expose: ['1/tcp'],
  tmpfs: ['/x:size=1m', { mount: '/y', size: '1g' }],
  volumes: [{ name: 'a', mount: '/v' }],
  bind_mounts: [{ host: '~/x', container: '/b' }],
  resources: { cpus: '1', memory: '1g', pids: 1 },
  lifecycle: { postCreate: { a: ['b'] } },
  services: { a: { command: 'x', depends_on: ['b'], healthcheck: { port: 1 } }, b: { image: 'x' } },
  secrets: { A: 'env:B', C: { command: ['x'] } },
  providers: { docker: {} },
  wslConfig: 'x',
}

async function readAll(text: string, source: string): Promise<void> {
  const document = await parseDocument(text, source)
  const layer = await assertBlueprintLayer(document.value, source, document)
  const blueprint = withoutNulls(mergeLayers(layer, layer), []) as Blueprint
  const loaded: LoadedBlueprint = {
    source,
    format: 'native',
    project: '/p',
    directory: '/p',
    warnings: [],
    defaultName: 'p',
  }
  hashSpec(toSpec(fillBlueprint(loaded, blueprint), { base: { kind: 'host' }, env: { HOME: '/h' } }).spec)
}

/** Counts what was accepted and refused; anything but a HolmError with a message fails the test. */
async function run(
  count: number,
  attempt: (index: number) => Promise<unknown>,
): Promise<{ accepted: number; refused: number }> {
  const result = { accepted: 0, refused: 0 }
  for (let index = 0; index < count; index += 1) {
    try {
      await attempt(index)
      result.accepted += 1
    } catch (error) {
      if (!isHolmError(error)) throw new Error(`case ${index}: ${String(error)}`, { cause: error })
      if (error.code === 'HOLM_BUG' || error.message === '') throw error
      result.refused += 1
    }
  }
  return result
}

// Takes a second; a busy machine gets a minute.
describe('2,000 mutations never throw anything but a HolmError', { timeout: 60_000 }, () => {
  it('of native values', async () => {
    const random = createRandom(1)
    const { accepted, refused } = await run(800, () => {
      let value: unknown = full
      for (let round = 0; round <= random(3); round += 1) value = mutateValue(value, random)
      return readAll(JSON.stringify(value) ?? '', 'holm.json')
    })
    expect(accepted).toBeGreaterThan(20)
    expect(refused).toBeGreaterThan(200)
  })

  it('of the texts of built-ins', async () => {
    const random = createRandom(2)
    const names = await listBuiltinNames()
    const texts = await Promise.all(names.map((name) => readFile(builtinPath(name), 'utf8')))
    const toml = 'name = "x"\nports = [80]\n[tools]\nnode = 20\n[[volumes]]\nmount = "/x"\n'
    const { accepted, refused } = await run(700, (index) => {
      const isToml = index % 5 === 0
      let text = isToml ? toml : (texts[random(texts.length)] ?? '')
      for (let round = 0; round <= random(3); round += 1) text = mutateText(text, random)
      return readAll(text, isToml ? 'holm.toml' : 'holm.yaml')
    })
    expect(accepted).toBeGreaterThan(20)
    expect(refused).toBeGreaterThan(200)
  })

  it('of dev containers', async () => {
    const random = createRandom(3)
    const { accepted, refused } = await run(500, async (index) => {
      let value: unknown = devcontainer
      for (let round = 0; round <= random(3); round += 1) value = mutateValue(value, random)
      const text = index % 3 === 0 ? mutateText(JSON.stringify(value), random) : JSON.stringify(value)
      const place = { source: '/p/.devcontainer.json', project: '/p' }
      const loaded = await loadFromText(text, place, { env: { HOME: '/h' } })
      const labels = { 'devcontainer.metadata': JSON.stringify(mutateValue([devcontainer], random)) }
      const base = { kind: 'image', reference: 'x' } as const
      toSpec(loaded, { base, env: {}, baseInfo: { base, id: 'x', labels, env: {} } })
    })
    expect(accepted).toBeGreaterThan(20)
    expect(refused).toBeGreaterThan(100)
  })
})

it('services of any graph without a circle come after what they need', () => {
  const random = createRandom(7)
  for (let round = 0; round < 300; round += 1) {
    const names = Array.from({ length: 1 + random(12) }, (_, index) => `s${index}`)
    // Edges go from later to earlier, then the names are shuffled: any graph without a circle can come of it.
    const edges = names.map((_, index) => names.slice(0, index).filter(() => random(3) === 0))
    const order = names
      .map((name, index) => ({ name, key: random(1000), index }))
      .toSorted((a, b) => a.key - b.key)
    const services = Object.fromEntries(
      order.map(({ name, index }) => [name, { command: 'x', depends_on: edges[index] ?? [] }]),
    )
    const sorted = toServices(services)
    expect(sorted.map(({ name }) => name).toSorted()).toEqual(names.toSorted())
    const place = new Map(sorted.map(({ name }, index) => [name, index]))
    for (const { name, dependsOn } of sorted)
      for (const needed of dependsOn) expect(place.get(needed)).toBeLessThan(place.get(name) ?? -1)
  }
})
