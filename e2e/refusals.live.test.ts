import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestHolm, missingBuild, type Ended, type TestHolm } from './support/holm.ts'

const unbuilt = missingBuild()

interface ErrorDocument {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly hint: string | null
    readonly details?: unknown
  }
}

/** The error of a command that ran with --json. */
function errorOf({ stdout }: Ended): ErrorDocument['error'] {
  return (JSON.parse(stdout) as ErrorDocument).error
}

function makeProject(holm: TestHolm, name: string): string {
  const project = join(holm.home, 'projects', name)
  mkdirSync(project, { recursive: true })
  writeFileSync(join(project, 'holm.yaml'), 'base: host\n')
  return project
}

describe('what holm refuses', () => {
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
      title: 'an unknown built-in parent',
      file: 'holm.yaml',
      text: 'extends: python-dve\n',
      code: 'HOLM_BLUEPRINT_PARENT_MISSING',
      message: /python-dve/,
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

  test.each(['a b', 'Ünï', 'x'.repeat(41), '-x', '../x', 'a"b'])(
    'the name %j is refused, with one that would do',
    async (name) => {
      const project = makeProject(holm, 'names')
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
