import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { missingBuild } from '../support/holm.ts'
import {
  createFaultHolm,
  expectCode,
  expectError,
  listResidue,
  type FaultHolm,
} from './support/fault-holm.ts'
import { addPlugin, usePlugins } from './support/plugins.ts'

let holm: FaultHolm
beforeEach((ctx) => {
  holm = createFaultHolm()
  const reason = missingBuild()
  if (reason !== undefined) ctx.skip(reason)
  holm.write('holm.yaml', 'name: one\nbase: host\nprovider: sandbox\n')
})
afterEach(() => holm.dispose())

/** holm goes on without the plugin, and says which and why. */
async function expectWarned(...says: readonly string[]): Promise<void> {
  const up = await expectCode(holm, ['up'], 0)
  for (const part of says) expect(up.stderr).toContain(part)
  // A plugin is named where the sentence names it, and not once more before it.
  expect(up.stderr).not.toMatch(/^warning: (.+): plugin \1 /m)
  const exec = await expectCode(holm, ['exec', '--', 'echo', 'in'], 0)
  expect(exec.stdout).toBe('in\n')
  await expectCode(holm, ['destroy', '--yes'], 0)
  const list = await expectCode(holm, ['plugins', 'list'], 0)
  expect(list.stdout).toContain('@holm/provider-docker')
  await expectCode(holm, ['--help'], 0)
}

test.each([
  ['throws at import', "throw new Error('boom at import')", 'could not be imported: boom at import'],
  ['is no JavaScript', 'this is none', 'could not be imported: '],
  ['exports no plugin', 'export default 5', 'has no default export made by definePlugin'],
  [
    'throws in its setup',
    "export default { name: 'fault', contract: 1, setup() { throw new Error('boom in setup') } }",
    'failed in its setup: boom in setup',
  ],
  [
    'is of another contract version',
    "export default { name: 'fault', contract: 99, setup() {} }",
    'is written for contract 99',
  ],
])('a plugin that %s', async (_what, source, says) => {
  holm.write('holm-fault.mjs', source)
  usePlugins(holm, ['./holm-fault.mjs'])
  await expectWarned(join(holm.project, 'holm-fault.mjs'), says, 'hint: ')
})

test('a plugin that is not there', async () => {
  usePlugins(holm, ['./none.mjs'])
  await expectWarned(join(holm.project, 'none.mjs'), 'hint: Correct its path in the configuration.')
})

function writePackage(name: string, manifest: Readonly<Record<string, unknown>>): void {
  mkdirSync(join(holm.project, name))
  const holmKey = {
    kind: 'feature',
    id: name,
    contract: 1,
    entry: './index.js',
    hooks: ['resolveSpec'],
    ...manifest,
  }
  holm.write(
    `${name}/package.json`,
    JSON.stringify({ name, version: '1.0.0', type: 'module', holm: holmKey }),
  )
  holm.write(`${name}/index.js`, `throw new Error('imported, though its manifest says enough')`)
}

test('a package of another contract version is not even imported', async () => {
  writePackage('newer', { contract: 99 })
  usePlugins(holm, ['./newer'])
  await expectWarned('plugin newer is written for contract 99, this holm has 1', 'hint: Upgrade holm.')
  const up = await expectCode(holm, ['plugins', 'list'], 0)
  expect(up.stdout).toContain('HOLM_PLUGIN_CONTRACT')
  expect(up.stdout + up.stderr).not.toContain('imported, though')
})

test('two plugins with one id are both named, and neither is used', async () => {
  writePackage('first', { id: 'same' })
  writePackage('second', { id: 'same' })
  usePlugins(holm, ['./first', './second'])
  const paths = [join(holm.project, 'first'), join(holm.project, 'second')] as const
  await expectWarned(`two plugins are feature same: ${paths[0]} and ${paths[1]}`, 'hint: Remove one')
})

test.each([
  ['resolveBlueprint', 'HOLM_PLUGIN_HOOK', 'failed in resolveBlueprint: boom'],
  ['resolveSpec', 'HOLM_PLUGIN_HOOK', 'failed in resolveSpec: boom'],
  ['beforeUp', 'HOLM_HOOK_VETO', 'refused (beforeUp): boom'],
  ['beforeProvision', 'HOLM_HOOK_VETO', 'refused (beforeProvision): boom'],
])('a tap that throws in %s ends up, and leaves nothing', async (hook, code, says) => {
  const before = await listResidue(holm)
  addPlugin(holm, `api.hook('${hook}', () => { throw new Error('boom') })`)
  await expectError(holm, ['up'], {
    exit: 4,
    code,
    says: [join(holm.project, 'holm-fault.mjs'), says],
    hint: join(holm.project, 'holm-fault.mjs'),
  })
  expect(await listResidue(holm)).toEqual(before)
})

test('a tap that returns nothing where the value is wanted', async () => {
  addPlugin(holm, "api.hook('resolveSpec', () => {})")
  await expectError(holm, ['up'], {
    exit: 4,
    code: 'HOLM_PLUGIN_HOOK',
    says: ['returned nothing from resolveSpec'],
    hint: 'Return the value',
  })
})

test.each(['afterUp', 'onEvent'])('a tap that throws in %s is a warning, once', async (hook) => {
  addPlugin(holm, `api.hook('${hook}', () => { throw new Error('boom') })`)
  const up = await expectCode(holm, ['up'], 0)
  expect(up.stderr.split(`failed in ${hook}: boom`)).toHaveLength(2)
})

test.each([
  [
    'a timer of a tap',
    "api.hook('onEvent', ({ type, step }) => { if (type === 'step-started' && step === 'setup') setTimeout(() => { throw new Error('boom') }, 1) })",
  ],
  [
    'a promise of a tap',
    "api.hook('onEvent', ({ type, step }) => { if (type === 'step-started' && step === 'setup') void Promise.reject(new Error('boom')) })",
  ],
  ['a socket of its setup', "import('node:net').then((net) => net.connect('/nonexistent boom'))"],
])('what %s throws ends up as an interrupt does, and leaves nothing', async (_what, setup) => {
  holm.write('holm.yaml', 'name: one\nbase: host\nprovider: sandbox\nscripts: { setup: "sleep 60" }\n')
  const before = await listResidue(holm)
  addPlugin(holm, setup)
  await expectError(holm, ['up'], {
    exit: 4,
    code: 'HOLM_PLUGIN_CRASH',
    says: [join(holm.project, 'holm-fault.mjs'), 'failed outside of any call: ', 'boom'],
    hint: `Fix or remove the plugin ${join(holm.project, 'holm-fault.mjs')}`,
  })
  expect(await listResidue(holm)).toEqual(before)
})

test('what a plugin throws while a command inside runs ends that command', async () => {
  await expectCode(holm, ['up'], 0)
  addPlugin(holm, "setTimeout(() => { throw new Error('boom') }, 1)")
  const exec = await expectCode(holm, ['exec', '--', 'sleep', '60'], 4)
  expect(exec.stderr).toContain('error HOLM_PLUGIN_CRASH: ')
  usePlugins(holm, [])
  const left = await expectCode(
    holm,
    ['exec', '--', 'sh', '-c', 'cat /proc/[0-9]*/cmdline | tr "\\0" " "'],
    0,
  )
  expect(left.stdout).not.toContain('sleep 60')
})

test('a tap that vetoes a removal leaves the environment', async () => {
  await expectCode(holm, ['up'], 0)
  addPlugin(holm, "api.hook('beforeRemove', () => { throw new Error('not today') })")
  await expectError(holm, ['destroy', 'one', '--yes'], {
    exit: 4,
    code: 'HOLM_HOOK_VETO',
    says: ['refused (beforeRemove): not today'],
    hint: 'remove the plugin',
  })
  usePlugins(holm, [])
  await expectCode(holm, ['exec', '--', 'true'], 0)
  await expectCode(holm, ['destroy', 'one', '--yes'], 0)
})
