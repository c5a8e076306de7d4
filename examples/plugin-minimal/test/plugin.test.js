import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import plugin, { createGreeting } from '../index.js'

const { name, holm } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'))

/** Runs setup with an api that notes what is registered. */
async function setUp() {
  const registered = { commands: new Map(), hooks: new Map(), methods: new Map() }
  await plugin.setup({
    command: (definition) => registered.commands.set(definition.id, definition),
    hook: (hook, tap) => registered.hooks.set(hook, tap),
    method: (method, run) => registered.methods.set(method, run),
  })
  return registered
}

test('registers what the manifest lists', async () => {
  const { commands, hooks, methods } = await setUp()
  assert.equal(plugin.name, name)
  assert.equal(plugin.contract, holm.contract)
  const tables = [...commands.values()].map(({ run: _run, ...table }) => table)
  assert.deepEqual(tables, holm.commands)
  assert.deepEqual([...hooks.keys()], holm.hooks)
  assert.deepEqual([...methods.keys()], holm.methods)
})

test('the command greets', async () => {
  const { commands } = await setUp()
  const command = commands.get('hello greet')
  const result = await command.run({ args: { who: 'Ada' }, flags: { loud: true } })
  assert.deepEqual(result, { data: { greeting: 'HELLO, ADA!' }, text: 'HELLO, ADA!' })
})

test('the hook keeps what the blueprint set', async () => {
  const { hooks } = await setUp()
  const tap = hooks.get('resolveSpec')
  assert.deepEqual(tap({ name: 'demo', env: {} }).env, { GREETING: 'Hello, demo!' })
  assert.deepEqual(tap({ name: 'demo', env: { GREETING: 'Hi' } }).env, { GREETING: 'Hi' })
})

test('nobody to greet is an error with a code', async () => {
  assert.throws(() => createGreeting(' '), { code: 'HOLM_USAGE' })
  const { methods } = await setUp()
  assert.equal(methods.get('helloGreeting')({}, 'Ada'), 'Hello, Ada!')
})
