import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EnvironmentInfo, UpResult } from '@holm/core'
import { missingBuild } from '../support/holm.ts'
import {
  createFaultHolm,
  expectCode,
  expectError,
  listResidue,
  prepare,
  subjects,
  type ExpectedError,
  type FaultHolm,
} from './support/fault-holm.ts'

let holm: FaultHolm
beforeEach((ctx) => {
  holm = createFaultHolm()
  const reason = missingBuild()
  if (reason !== undefined) ctx.skip(reason)
})
afterEach(() => holm.dispose())

const syntax = { exit: 3, code: 'HOLM_BLUEPRINT_SYNTAX' }
const invalid = { exit: 3, code: 'HOLM_BLUEPRINT_INVALID' }

interface BadBlueprint extends ExpectedError {
  readonly title: string
  readonly files: Readonly<Record<string, string>>
}

const badBlueprints: readonly BadBlueprint[] = [
  {
    title: 'YAML that does not parse',
    files: { 'holm.yaml': 'name: one\nbase: [host\nports: {\n' },
    ...syntax,
    says: ["user's project/holm.yaml:3:1: "],
    hint: 'Correct line 3 of ',
  },
  {
    title: 'JSON that does not parse',
    files: { 'holm.json': '{\n  "name": "one",\n  "base" "host"\n}' },
    ...syntax,
    says: ["user's project/holm.json:3:10: ", '"base" "host"'],
    hint: 'Correct line 3 of ',
  },
  {
    title: 'TOML that does not parse',
    files: { 'holm.toml': 'name = "one"\nbase = host\n' },
    ...syntax,
    says: ["user's project/holm.toml:2:8: ", 'base = host'],
    hint: 'Correct line 2 of ',
  },
  {
    title: 'an unknown key',
    files: { 'holm.yaml': 'name: one\nbase: host\npackges: [git]\n' },
    ...invalid,
    says: ['holm.yaml:3:1: packges: unknown key, did you mean "packages"?'],
    hint: 'Correct ',
  },
  {
    title: 'wrong types, all of them at once',
    files: { 'holm.yaml': 'base: host\nports: 8080\nresources:\n  memory: lots\nuser: 7\n' },
    ...invalid,
    says: [
      '3 problems in ',
      ':2:8: ports: expected a list, got 8080',
      ':4:11: resources.memory: "lots" is not a size',
      ':5:7: user: ',
    ],
    hint: 'Correct ',
  },
  {
    title: 'blueprints that extend each other',
    files: { 'holm.yaml': 'extends: ./b.yaml\n', 'b.yaml': 'extends: ./holm.yaml\n' },
    exit: 3,
    code: 'HOLM_BLUEPRINT_CYCLE',
    says: ['holm.yaml -> b.yaml -> holm.yaml'],
    hint: 'Remove one `extends`',
  },
  {
    title: 'a parent that is missing',
    files: { 'holm.yaml': 'extends: ./none.yaml\n' },
    exit: 3,
    code: 'HOLM_BLUEPRINT_PARENT_MISSING',
    says: ['holm.yaml extends "./none.yaml"'],
    hint: 'Correct `extends` of ',
  },
  {
    title: 'a base whose file is missing',
    files: { 'holm.yaml': 'base: { rootfs: ./none.tar }\n' },
    exit: 3,
    code: 'HOLM_BASE_INVALID',
    says: ["user's project/none.tar", 'ENOENT'],
    hint: 'Put the file back',
  },
  {
    title: 'a base that is no archive',
    files: { 'holm.yaml': 'base: { rootfs: ./bad.tar }\n', 'bad.tar': 'no archive' },
    exit: 3,
    code: 'HOLM_BASE_INVALID',
    says: ["user's project/bad.tar"],
    hint: 'Give a whole tar archive',
  },
  {
    title: 'a base nobody has',
    files: { 'holm.yaml': 'base: nowhere.invalid/none:1\n' },
    exit: 3,
    code: 'HOLM_BASE_NOT_FOUND',
    says: ['nowhere.invalid/none:1'],
    hint: 'holm base add',
  },
]

test.each(badBlueprints)('$title', async ({ files, ...expected }) => {
  for (const [name, text] of Object.entries(files)) holm.write(name, text)
  await expectError(holm, ['up', '--provider', 'sandbox'], expected)
  expect(await listResidue(holm)).toEqual([])
})

test.each([
  ['./none.yaml', ['"./none.yaml"', 'no such file: '], 'holm blueprint list'],
  ['pyton-dev', ['"pyton-dev"', 'near names: python-dev'], 'holm blueprint list'],
])('no blueprint %s', async (reference, says, hint) => {
  await expectError(holm, ['up', reference], { exit: 3, code: 'HOLM_BLUEPRINT_NOT_FOUND', says, hint })
})

test.each([
  ['a b', '"a b"', '"a-b"'],
  ['größe', '"größe"', '"gro-e"'],
  ['x'.repeat(60), `"${'x'.repeat(60)}"`, `"${'x'.repeat(40)}"`],
  ['../up', '"../up"', '"up"'],
  ['-x', '"-x"', '"x"'],
  ['', '""', '"environment"'],
  ['red\u001B[31m', '"red\\u001b[31m"', '"red-31m"'],
])('the name %j is refused with one that works', async (name, says, suggestion) => {
  holm.write('holm.yaml', 'base: host\n')
  const expected = {
    exit: 2,
    code: 'HOLM_NAME_INVALID',
    says: [says],
    hint: `Use a name such as ${suggestion}`,
  }
  await expectError(holm, ['up', `--name=${name}`], expected)
  expect(await listResidue(holm)).toEqual([])
})

const folders = [
  ['co:lon', 'co-lon'],
  ['com,ma', 'com-ma'],
  [`quo"te's`, 'quo-te-s'],
  ['dol$lar `x`', 'dol-lar-x'],
  ['ünï cödé', 'uni-code'],
  ['new\nline', 'new-line'],
  ['日本', 'environment'],
  [`${'deep'.repeat(50)}/${'deeper'.repeat(40)}/${'deepest'.repeat(30)}`, 'deepest'.repeat(6).slice(0, 40)],
]

describe.each(subjects)('a project folder on $provider', (subject) => {
  test('has any name', { timeout: 60_000 }, async (ctx) => {
    const reason = subject.missing()
    if (reason !== undefined) ctx.skip(reason)
    await prepare(holm, subject)
    const blueprint = `base: ${subject.base}\nprovider: ${subject.provider}\n`
    const before = await listResidue(holm)
    await Promise.all(
      folders.map(async ([folder = '', name = '']) => {
        const cwd = join(holm.folder, 'odd', folder)
        mkdirSync(cwd, { recursive: true })
        writeFileSync(join(cwd, 'holm.yaml'), blueprint)
        const up = JSON.parse((await expectCode(holm, ['up', '--json'], { exit: 0, cwd })).stdout) as UpResult
        expect(up.environment).toMatchObject({ name, project: cwd })
        const inside = await expectCode(holm, ['exec', '--', 'cat', 'holm.yaml'], { exit: 0, cwd })
        expect(inside.stdout).toBe(blueprint)
        await expectCode(holm, ['destroy', '--yes'], { exit: 0, cwd })
      }),
    )
    expect(await listResidue(holm)).toEqual(before)
  })

  test('is the same through a symbolic link', async (ctx) => {
    const reason = subject.missing()
    if (reason !== undefined) ctx.skip(reason)
    await prepare(holm, subject)
    const link = join(holm.folder, "link's end")
    symlinkSync(holm.project, link)
    await expectCode(holm, ['up'], { exit: 0, cwd: link })
    const status = (await expectCode(holm, ['status', '--json'], { exit: 0, cwd: holm.project })).stdout
    expect((JSON.parse(status) as EnvironmentInfo).project).toBe(realpathSync(link))
    const again = JSON.parse((await expectCode(holm, ['up', '--json'], 0)).stdout) as UpResult
    expect(again.outcome).toBe('running')
    await expectCode(holm, ['destroy', '--yes'], { exit: 0, cwd: link })
  })
})

test('a data folder with any name', async () => {
  holm.write('holm.yaml', 'name: one\nbase: host\nprovider: sandbox\n')
  const home = join(holm.folder, `ho"me's $x\`ünï:,`, 'so deep '.repeat(20))
  const env = { HOLM_HOME: home }
  await expectCode(holm, ['up'], { exit: 0, env })
  expect((await expectCode(holm, ['exec', '--', 'echo', 'in'], { exit: 0, env })).stdout).toBe('in\n')
  await expectCode(holm, ['destroy', '--yes'], { exit: 0, env })
})

test('values of the configuration that are set at the same moment are all kept', async () => {
  const set = (scope: readonly string[]) => [
    expectCode(holm, ['config', 'set', ...scope, 'up.timeout', '7m'], 0),
    expectCode(holm, ['config', 'set', ...scope, 'stop.grace', '7s'], 0),
    expectCode(holm, ['config', 'set', ...scope, 'up.keep', 'true'], 0),
    expectCode(holm, ['config', 'set', ...scope, 'log.level', 'info'], 0),
  ]
  await Promise.all(set([]))
  const { stdout } = await expectCode(holm, ['config', 'list', '--json'], 0)
  const values = JSON.parse(stdout) as { key: string; value: unknown }[]
  const valueOf = (key: string): unknown => values.find((each) => each.key === key)?.value
  expect(['up.timeout', 'stop.grace', 'up.keep', 'log.level'].map(valueOf)).toEqual([
    420_000,
    7000,
    true,
    'info',
  ])
})
