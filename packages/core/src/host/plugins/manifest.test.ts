import { expect, test } from 'vitest'
import { parseManifest } from './manifest.ts'

const holm = { kind: 'provider', id: 'docker', contract: 1, entry: './dist/index.js' }
const traits = {
  isolation: 'container',
  rootless: false,
  bases: ['image'],
  mounts: ['bind'],
  limits: [],
  networks: ['default'],
  mapsPorts: true,
}
const command = { id: 'hello greet', summary: 'Greets.', examples: [], flags: { loud: { type: 'boolean' } } }

function parse(change: object): unknown {
  return parseManifest(
    { name: '@acme/holm-x', version: '1.0.0', holm: { ...holm, ...change } },
    '/p/package.json',
  )
}

test('a whole manifest', () => {
  const full = {
    ...holm,
    platforms: ['linux'],
    facets: ['logs'],
    traits,
    commands: [command],
    hooks: ['afterUp'],
    methods: ['greet'],
  }
  expect(parse(full)).toEqual({ name: '@acme/holm-x', version: '1.0.0', manifest: full })
})

test('what a later holm may know is left out', () => {
  expect(
    parse({ facets: ['logs', 'teleport'], hooks: ['afterDream', 'afterUp'], colour: 'red' }),
  ).toMatchObject({
    manifest: { ...holm, facets: ['logs'], hooks: ['afterUp'] },
  })
})

test.each([
  [{ kind: undefined }, 'holm.kind is missing'],
  [{ kind: 'driver' }, 'holm.kind is "driver", not one of provider, mesh, ai, editor, feature'],
  [{ kind: 'toString' }, 'holm.kind is "toString"'],
  [{ id: 'Docker' }, 'holm.id is "Docker"'],
  [{ contract: '1' }, 'holm.contract is not a whole number'],
  [{ entry: '' }, 'holm.entry is not a path'],
  [{ entry: '../evil.js' }, 'holm.entry "../evil.js" leads outside the package'],
  [{ entry: 'a/..\\..\\evil.js' }, 'leads outside the package'],
  [{ entry: '/etc/evil.js' }, 'leads outside the package'],
  [{ entry: 'C:\\evil.js' }, 'leads outside the package'],
  [{ platforms: 'linux' }, 'holm.platforms is not a list of strings'],
  [{ facets: [1] }, 'holm.facets is not a list of strings'],
  [{ traits: {} }, 'holm.traits has no list "bases"'],
  [{ traits: { ...traits, isolation: undefined } }, 'holm.traits has no "isolation"'],
  [{ traits: { ...traits, rootless: 'no' } }, 'holm.traits has no "rootless"'],
  [{ commands: {} }, 'holm.commands is not a list'],
  [{ commands: [{ ...command, id: 'Hello' }] }, 'holm.commands has a command with the id "Hello"'],
  [
    { commands: [{ ...command, summary: undefined }] },
    'holm.commands: command "hello greet" has no "summary"',
  ],
  [{ commands: [{ ...command, flags: { x: { type: 'date' } } }] }, 'has a flag "x" whose type is not one of'],
  [{ hooks: 'afterUp' }, 'holm.hooks is not a list of strings'],
  [{ methods: ['say hi'] }, 'holm.methods has "say hi"'],
])('%j is refused', (change, message) => {
  expect(() => parse(change)).toThrowError(
    expect.objectContaining({
      code: 'HOLM_PLUGIN_INVALID',
      plugin: '@acme/holm-x',
      message: expect.stringContaining(
        `/p/package.json: ${message}`
          .replace('/p/package.json: leads', 'leads')
          .replace('/p/package.json: has a flag', 'has a flag'),
      ),
    }),
  )
})

test.each([
  [null, 'is not an object'],
  [{}, 'name is missing'],
  [{ name: 'lodash' }, 'lodash is no holm plugin: no "holm" key'],
  [{ name: 'x', holm: [] }, 'holm is not an object'],
])('the package %j is refused', (content, message) => {
  expect(() => parseManifest(content, '/p/package.json')).toThrowError(
    expect.objectContaining({ code: 'HOLM_PLUGIN_INVALID', message: `/p/package.json: ${message}` }),
  )
})
