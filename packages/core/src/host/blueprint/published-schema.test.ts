import { readFile, readdir } from 'node:fs/promises'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { blueprintKeys } from './blueprint-keys.ts'
import { builtinPath, listBuiltinNames, listBuiltins } from './builtins.ts'
import { loadBlueprint } from './load-blueprint.ts'
import { parseDocument } from './parse-document.ts'
import { renderTemplate, templateNames } from './templates.ts'
import { toSpec } from './to-spec.ts'
import type { BlueprintContext } from './blueprint-context.ts'

const core = new URL('../../../', import.meta.url).pathname
const schema = JSON.parse(await readFile(`${core}schema/holm.schema.json`, 'utf8')) as Record<string, unknown>
const validate = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true }).compile(schema)
const names = await listBuiltinNames()

async function problems(text: string, source: string): Promise<unknown> {
  const { value } = await parseDocument(text, source)
  return validate(value) ? [] : validate.errors
}

const context: BlueprintContext = {
  cwd: '/',
  env: {},
  paths: { config: '/nowhere', cache: '/nowhere' },
  runner: {
    run: () => Promise.reject(new Error('no program')),
    spawn: () => Promise.reject(new Error('no program')),
  },
  platform: 'linux',
}

describe('holm.schema.json', () => {
  it.each(names)('accepts the built-in %s', async (name) => {
    expect(await problems(await readFile(builtinPath(name), 'utf8'), `${name}.yaml`)).toEqual([])
  })

  it.each(templateNames)('accepts the template %s', async (template) => {
    expect(await problems(renderTemplate(template, { name: 'x' }), 'holm.yaml')).toEqual([])
  })

  it('accepts the blueprints of thresh and of the examples', async () => {
    const examples = new URL('../../../../../examples/', import.meta.url).pathname
    const fixtures = await readdir(`${core}test/fixtures/thresh`)
    const found = await readdir(examples, { recursive: true }).catch(() => [])
    const files = [
      ...fixtures.map((file) => `${core}test/fixtures/thresh/${file}`),
      ...found
        .filter((file) => !file.includes('node_modules') && /(?:^|\/)holm\.(?:ya?ml|json|toml)$/.test(file))
        .map((file) => examples + file),
    ]
    for (const file of files) expect(await problems(await readFile(file, 'utf8'), file), file).toEqual([])
  })

  it.each([
    'packages: git',
    'nmae: x',
    'ports: [{host: 1}]',
    'services: {a: {restart: maybe}}',
    'base: {image: x, rootfs: y}',
  ])('refuses %s', async (text) => {
    expect(await problems(text, 'holm.yaml')).not.toEqual([])
  })

  it('lets null remove what a parent says', async () => {
    expect(
      await problems('user: null\nbase: null\nenvironment: {A: null}\nservices: {web: null}\n', 'holm.yaml'),
    ).toEqual([])
  })

  it('has a description for every key, and the table no key more', () => {
    const described = new Map<string, unknown>()
    collectKeys(schema, '', described)
    expect([...described.keys()].toSorted()).toEqual(Object.keys(blueprintKeys).toSorted())
    for (const [key, description] of described) expect(description, key).toBe(blueprintKeys[key])
  })
})

function collectKeys(node: unknown, path: string, found: Map<string, unknown>): void {
  if (Array.isArray(node)) for (const entry of node) collectKeys(entry, path, found)
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return
  const { properties = {}, additionalProperties, anyOf, items } = node as Record<string, unknown>
  const inner = Object.entries(properties as object).map(([key, value]): [string, unknown] => [
    path === '' ? key : `${path}.${key}`,
    value,
  ])
  if (typeof additionalProperties === 'object') inner.push([`${path}.*`, additionalProperties])
  for (const [key, value] of inner) {
    found.set(key, (value as { description?: unknown }).description)
    collectKeys(value, key, found)
  }
  collectKeys(anyOf, path, found)
  collectKeys(items, path, found)
}

describe('built-ins', () => {
  it('are the fifteen that the reference lists', () => {
    expect(names).toEqual(
      'alpine-minimal azure-cli debian-stable full go-dev java-dev mongodb mysql node-dev postgres-dev python-dev redis rust-dev ubuntu-dev wordpress-stack'.split(
        ' ',
      ),
    )
  })

  it.each(names)(
    '%s has a description, a base of the catalogue and a check, and becomes a spec',
    async (name) => {
      const loaded = await loadBlueprint(name, context)
      expect(loaded.base).toMatch(/^(?:debian-12|debian-13|ubuntu-24\.04|alpine)$/)
      expect(loaded.check).toBeDefined()
      expect(loaded.blueprint?.description).toMatch(/\w.*\.$/)
      expect(loaded.blueprint?.name).toBeUndefined()
      const { spec, warnings } = toSpec(loaded, { base: { kind: 'host' }, env: {} })
      expect({ name: spec.name, warnings }).toEqual({ name, warnings: [] })
    },
  )

  it('full has what its parents have', async () => {
    const { blueprint } = await loadBlueprint('full', context)
    expect(Object.keys(blueprint?.tools ?? {}).toSorted()).toEqual(['go', 'java', 'node', 'python', 'rust'])
    expect(blueprint?.packages).toEqual(expect.arrayContaining(['maven', 'libssl-dev', 'ripgrep']))
  })

  it('are listed with description and base', async () => {
    expect(await listBuiltins()).toContainEqual({
      name: 'redis',
      description: 'Redis, on port 6379 of this machine only.',
      base: 'debian-12',
      source: 'builtin:redis',
    })
  })
})
