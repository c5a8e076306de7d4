import { describe, expect, it } from 'vitest'
import { blueprintKeys, childKeys, keyOf } from './blueprint-keys.ts'
import { parseDocument } from './parse-document.ts'
import { assertBlueprint, assertBlueprintLayer } from './validate-native.ts'

async function validate(text: string, source = 'holm.yaml') {
  const document = await parseDocument(text, source)
  return assertBlueprintLayer(document.value, source, document)
}

async function messages(text: string): Promise<string> {
  return validate(text).then(
    () => 'valid',
    (error: Error) => error.message,
  )
}

describe('assertBlueprintLayer', () => {
  it('lists all issues with file, line, column, path and what was meant', async () => {
    const text =
      'name: x\npackagse: [git]\nports:\n  - 8080:80\n  - nonsense\nresources:\n  memroy: 1g\n  cpus: [1]\nbase:\n  imgae: x\n'
    expect(await messages(text)).toBe(
      [
        '6 problems in holm.yaml',
        '  holm.yaml:2:1: packagse: unknown key, did you mean "packages"?',
        '  holm.yaml:5:5: ports[1]: "nonsense" is not a port such as 8080, "8080:80", "8000-8010:8000-8010" or "0.0.0.0:8080:80/udp"',
        '  holm.yaml:7:3: resources.memroy: unknown key, did you mean "memory"?',
        '  holm.yaml:8:9: resources.cpus: expected a number or text, got a list',
        '  holm.yaml:10:3: base.image: is missing: expected text',
        '  holm.yaml:10:3: base.imgae: unknown key, did you mean "image"?',
      ].join('\n'),
    )
  })

  it.each([
    ['- a', 'a blueprint is a map of keys'],
    ['name: 5', 'holm.yaml:1:7: name: expected text, got 5'],
    ['name: ""', 'name: must not be empty'],
    ['ports: 80', 'ports: expected a list, got 80'],
    ['ports: [99999]', 'each between 1 and 65535'],
    ['services: {web: {restart: sometimes}}', 'expected "no" or "on-failure" or "always", got "sometimes"'],
    [
      'services: {web: {healthcheck: {interval: 5}}}',
      'services.web.healthcheck.interval: expected text, got 5',
    ],
    ['workdir: here', '"here" is not an absolute path'],
    ['project: true', 'project: expected text or false, got true'],
    ['check: {a: b}', 'check: expected text or a list, got a map'],
    ['environment: {A: [1]}', 'environment.A: expected text or a number or true or false, got a list'],
    ['packages: [git, 5]', 'packages[1]: expected text, got 5'],
    ['bind_mounts: [{host: a}]', 'bind_mounts[0].container: is missing: expected text'],
    ['ports: [{container: 80, hots: 1}]', 'ports[0].hots: unknown key, did you mean "host"?'],
    [
      'tools: {ndoe: 20}',
      'holm.yaml:1:15: tools.ndoe: "ndoe" is no tool that holm installs, did you mean "node"?',
    ],
    ['tools: {node: newest}', 'version "newest" of tool node cannot be read'],
    ['nmae: ', 'nmae: unknown key, did you mean "name"?'],
    ['secrets: {TOKEN: hunter2}', 'is not a reference'],
  ])('%s', async (text, message) => {
    expect(await messages(text)).toContain(message)
  })

  it('does not repeat values of the environment and of secrets', async () => {
    const all = (await messages('environment: {A: {b: hunter2}}')) + (await messages('secrets: {A: hunter2}'))
    expect(all).not.toContain('hunter2')
  })

  it('keeps nulls and how versions are spelt', async () => {
    const layer = await validate(
      'tools: {python: 3.10}\nenvironment: {V: 1.0, W: 0x10, X: true}\npackages:\n',
    )
    expect(layer).toEqual({
      tools: { python: '3.10' },
      environment: { V: '1.0', W: '0x10', X: true },
      packages: null,
    })
  })

  it('checks values that came from code', async () => {
    await expect(assertBlueprint({ name: 'x', ports: ['x'] }, 'plugin a')).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_INVALID',
      details: { source: 'plugin a', issues: [{ path: 'ports[0]' }] },
    })
    expect(await assertBlueprint({ name: 'x', user: null }, 'plugin a')).toEqual({ name: 'x' })
  })
})

describe('blueprintKeys', () => {
  it('finds the entry of a path', () => {
    expect(keyOf(['ports', 0, 'host'])).toBe('ports.host')
    expect(keyOf(['services', 'web', 'environment', 'A'])).toBe('services.*.environment.*')
    expect(keyOf(['nothing'])).toBeUndefined()
    expect(childKeys(['volumes', 2])).toEqual(['name', 'mount', 'readonly'])
  })

  it('describes every key in a sentence', () => {
    for (const [key, description] of Object.entries(blueprintKeys)) expect(description, key).toMatch(/[.`]$/)
  })
})
