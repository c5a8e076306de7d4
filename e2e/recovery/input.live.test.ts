import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestHolm, missingBuild, type TestHolm } from '../support/holm.ts'
import { errorOf, makeProject, prepareBase, runtimes } from './support.ts'

const unbuilt = missingBuild()

describe('bad input', () => {
  beforeEach((ctx) => {
    if (unbuilt !== undefined) ctx.skip(unbuilt)
  })
  let holm: TestHolm
  beforeAll(() => {
    holm = createTestHolm()
  })
  afterAll(() => holm.dispose())

  test.each([
    {
      title: 'YAML',
      file: 'holm.yaml',
      text: 'base: host\nports: [80\n',
      code: 'HOLM_BLUEPRINT_SYNTAX',
      message: /holm\.yaml:\d+:\d+/,
    },
    {
      title: 'JSON',
      file: 'holm.json',
      text: '{ "base": "host", }}',
      code: 'HOLM_BLUEPRINT_SYNTAX',
      message: /holm\.json:1:\d+/,
    },
    {
      title: 'TOML',
      file: 'holm.toml',
      text: 'base = "host"\nports = [80\n',
      code: 'HOLM_BLUEPRINT_SYNTAX',
      message: /holm\.toml:\d+:\d+/,
    },
    {
      title: 'an unknown key',
      file: 'holm.yaml',
      text: 'base: host\npakages: [git]\n',
      code: 'HOLM_BLUEPRINT_INVALID',
      message: /:2:1: pakages: .*did you mean "packages"/,
    },
    {
      title: 'a wrong type',
      file: 'holm.yaml',
      text: 'base: host\npackages: git\n',
      code: 'HOLM_BLUEPRINT_INVALID',
      message: /:2:11: packages: expected a list/,
    },
    {
      title: 'a missing parent',
      file: 'holm.yaml',
      text: 'extends: ./nowhere.yaml\n',
      code: 'HOLM_BLUEPRINT_PARENT_MISSING',
      message: /nowhere\.yaml/,
    },
    {
      title: 'an unknown built-in parent',
      file: 'holm.yaml',
      text: 'extends: python-dve\n',
      code: 'HOLM_BLUEPRINT_PARENT_MISSING',
      message: /python-dve/,
    },
    {
      title: 'a secret that is not there',
      file: 'holm.yaml',
      text: 'base: host\nsecrets: { KEY: "env:HOLM_TEST_NO_SUCH" }\n',
      code: 'HOLM_SECRET_MISSING',
      message: /KEY/,
    },
    {
      title: 'a service of an unknown one',
      file: 'holm.yaml',
      text: 'base: host\nservices: { web: { command: x, depends_on: [bd] } }\n',
      code: 'HOLM_BLUEPRINT_INVALID',
      message: /"bd"/,
    },
    {
      title: 'services in a circle',
      file: 'holm.yaml',
      text: 'base: host\nservices: { a: { command: x, depends_on: [b] }, b: { command: x, depends_on: [a] } }\n',
      code: 'HOLM_BLUEPRINT_CYCLE',
      message: /a -> b -> a|b -> a -> b/,
    },
    {
      title: 'a section of no provider',
      file: 'holm.yaml',
      text: 'base: host\nproviders: { dokcer: {} }\n',
      code: 'HOLM_BLUEPRINT_INVALID',
      message: /dokcer.*docker/,
    },
    {
      title: 'devcontainer Features',
      file: '.devcontainer.json',
      text: '{ "image": "debian:12", "features": { "ghcr.io/x/y:1": {} } }',
      code: 'HOLM_BLUEPRINT_UNSUPPORTED',
      message: /features/,
    },
    {
      title: 'devcontainer Compose',
      file: '.devcontainer.json',
      text: '{ "dockerComposeFile": "compose.yml", "service": "app" }',
      code: 'HOLM_BLUEPRINT_UNSUPPORTED',
      message: /dockerComposeFile|Compose/,
    },
    {
      title: 'an unknown run argument',
      file: '.devcontainer.json',
      text: '{ "image": "debian:12", "runArgs": ["--frobnicate"] }',
      code: 'HOLM_BLUEPRINT_UNSUPPORTED',
      message: /--frobnicate/,
    },
  ])('$title is told with its place, and nothing is made', async ({ title, file, text, code, message }) => {
    const project = join(holm.home, 'input', title)
    mkdirSync(project, { recursive: true })
    writeFileSync(join(project, file), text)
    const ended = await holm.run(['up', '--provider', 'sandbox', '--json'], { cwd: project })
    expect(errorOf(ended)).toMatchObject({
      code,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(/\w/),
    })
    expect(ended.code).toBe(3)
    const plain = await holm.run(['up', '--provider', 'sandbox'], { cwd: project })
    expect(plain).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining(`error ${code}: `) })
    await expect(holm.json(['list'])).resolves.toEqual([])
  })

  test('blueprints that extend each other are named in their order', async () => {
    const project = makeProject(holm, 'circle', 'extends: ./b.yaml\n')
    writeFileSync(join(project, 'b.yaml'), 'extends: ./holm.yaml\n')
    const ended = await holm.run(['up', '--json'], { cwd: project })
    expect(errorOf(ended)).toMatchObject({
      code: 'HOLM_BLUEPRINT_CYCLE',
      message: expect.stringMatching(/holm\.yaml -> .*b\.yaml -> .*holm\.yaml/),
    })
  })

  test.each(['a b', 'Ünï', 'x'.repeat(41), '-x', '../x', 'a"b'])(
    'the name %j is refused, with one that would do',
    async (name) => {
      const project = makeProject(holm, 'names', { base: 'host' })
      const ended = await holm.run(['up', `--name=${name}`, '--json'], { cwd: project })
      expect(ended.code).toBe(2)
      expect(errorOf(ended)).toMatchObject({
        code: 'HOLM_NAME_INVALID',
        details: { name, suggestion: expect.stringMatching(/^[a-z0-9-]+$/) },
      })
    },
  )

  test('no blueprint at all is no mystery', async () => {
    const project = join(holm.home, 'empty')
    mkdirSync(project, { recursive: true })
    const ended = await holm.run(['up', '--json'], { cwd: project })
    expect(ended.code).toBe(3)
    expect(errorOf(ended)).toMatchObject({
      code: 'HOLM_BLUEPRINT_NOT_FOUND',
      hint: expect.stringContaining('holm init'),
    })
  })

  test.each([
    [['frobnicate'], 'frobnicate'],
    [['up', '--frob'], '--frob'],
    [['exec', '--'], 'COMMAND'],
    [['config', 'set', 'providr', 'x'], 'providr'],
  ])('holm %j is a mistake of usage that names the word', async (args, word) => {
    const ended = await holm.run([...args, '--json'].filter((each) => each !== '--' || args.at(-1) !== '--'))
    expect([2, 3]).toContain(ended.code)
    expect(errorOf(ended).message).toContain(word)
  })

  test('a folder of holm that cannot be made is named', async () => {
    const ended = await holm.run(['list', '--json'], { env: { HOLM_HOME: '/proc/holm' } })
    expect(ended.code).toBe(3)
    expect(errorOf(ended)).toMatchObject({
      code: 'HOLM_CONFIG_UNREADABLE',
      message: expect.stringContaining('/proc/holm'),
      hint: expect.stringContaining('HOLM_HOME'),
    })
  })
})

describe.each(runtimes)('$provider', ({ provider, base, missing }) => {
  beforeEach((ctx) => {
    const reason = unbuilt ?? missing
    if (reason !== undefined) ctx.skip(reason)
  })
  let holm: TestHolm
  beforeAll(async () => {
    holm = createTestHolm()
    if (unbuilt === undefined && missing === undefined) await prepareBase(holm, base)
  })
  afterAll(() => holm.dispose())

  test.each([
    "quote's and spaces",
    'ünïcode 漢',
    'comma,colon:equals=',
    '$(touch pwned) `x` ;&|',
    `long-${'x'.repeat(150)}`,
  ])('a project in the folder %j comes up and sees its files', async (name) => {
    const project = makeProject(holm, name, { base })
    writeFileSync(join(project, 'file.txt'), 'content')
    const ended = await holm.run(['up', '--provider', provider, '--json'], { cwd: project })
    expect(ended.stderr + ended.stdout).not.toContain('HOLM_')
    const inside = await holm.run(['exec', '--', 'cat', 'file.txt'], { cwd: project })
    expect(inside).toMatchObject({ code: 0, stdout: 'content' })
    await expect(holm.run(['destroy', '--yes'], { cwd: project })).resolves.toMatchObject({ code: 0 })
  })

  test('a project behind a link is the same project', async () => {
    const project = makeProject(holm, 'real', { base })
    const link = join(holm.home, 'projects', 'link')
    symlinkSync(project, link)
    await holm.json(['up', '--provider', provider], { cwd: link })
    await expect(holm.json(['up'], { cwd: project })).resolves.toMatchObject({ outcome: 'running' })
    await holm.run(['destroy', '--yes'], { cwd: project })
  })

  test('a port that somebody has is named, and nothing is left', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const project = makeProject(holm, 'port', { base, ports: [port] })
    const ended = await holm.run(['up', '--provider', provider, '--json'], { cwd: project })
    server.close()
    expect(ended.code).toBe(7)
    expect(errorOf(ended)).toMatchObject({
      code: 'HOLM_PORT_TAKEN',
      message: expect.stringContaining(String(port)),
    })
    await expect(holm.json(['list', '--all'])).resolves.toEqual([])
  })
})
