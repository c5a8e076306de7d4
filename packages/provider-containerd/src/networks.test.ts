import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createFakeRunner, createTestContext } from '@holm/testkit'
import type { Recording, TestContext } from '@holm/testkit'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createEngine } from './engine.ts'
import type { Engine } from './engine.ts'
import { ensureNetwork, loadNetwork, placeOf, removeUnusedNetworks } from './networks.ts'

let data: string
let engine: Engine

beforeEach(async () => {
  data = await mkdtemp(path.join(tmpdir(), 'holm networks '))
  engine = createEngine({ namespace: 'one', data, env: {} })
})
afterEach(() => rm(data, { recursive: true, force: true }))

function context(...script: readonly Recording[]): TestContext {
  return createTestContext({ runner: createFakeRunner(script) })
}

const clean: Recording = { argv: ['iptables-save'], stdout: '*filter\nCOMMIT\n' }
const used = (...names: readonly string[]): (() => Promise<ReadonlySet<string>>) => {
  return async () => new Set(names)
}

it('a network is chosen once, whoever asks, and apart from all others', async () => {
  const other = createEngine({ namespace: 'two', data, env: {} })
  const asked = ['front', 'front', 'back', 'default', 'front']
  const made = await Promise.all(asked.map((name) => ensureNetwork(engine, name, context())))
  expect(made.map(({ name }) => name)).toEqual(asked)
  expect([made[0], made[0]]).toEqual([made[1], made[4]])
  const second = await ensureNetwork(other, 'front', context())
  const all = [made[0], made[2], made[3], second]
  expect(new Set(all.map((each) => each?.bridge)).size).toBe(4)
  expect(new Set(all.map((each) => each?.subnet)).size).toBe(4)
  expect(await loadNetwork(engine, 'front')).toEqual(made[0])
  expect(await loadNetwork(engine, 'unknown')).toBeUndefined()
})

it('those that no environment names are removed, half-made ones too', async () => {
  for (const name of ['front', 'back', 'default']) await ensureNetwork(engine, name, context())
  const halfMade = placeOf(engine.folder, 'half').folder
  await mkdir(halfMade)
  const left = (): readonly boolean[] =>
    ['front', 'back', 'default', 'half'].map((name) => existsSync(placeOf(engine.folder, name).folder))
  await removeUnusedNetworks(engine, context(clean), { loadUsed: used('front', 'back', 'default') })
  expect(left()).toEqual([true, true, true, false])
  await removeUnusedNetworks(engine, context(clean), { loadUsed: used('front'), except: 'default' })
  expect(left()).toEqual([true, false, true, false])
  await removeUnusedNetworks(engine, context(clean), { loadUsed: used() })
  expect(left()).toEqual([false, false, false, false])
  expect(existsSync(path.join(engine.folder, 'networks'))).toBe(false)
})

it('one that is taken into use again meanwhile stays', async () => {
  await ensureNetwork(engine, 'front', context())
  const answers = [new Set<string>(), new Set(['front'])]
  await removeUnusedNetworks(engine, context(), { loadUsed: async () => answers.shift() ?? new Set() })
  expect(answers).toEqual([])
  expect(await loadNetwork(engine, 'front')).toBeDefined()
})

it('one whose rules cannot be removed stays for the next try, and is told', async () => {
  const { bridge } = await ensureNetwork(engine, 'front', context())
  const rule = `-A FORWARD -i ${bridge} -m comment --comment "holm ${bridge}" -j ACCEPT`
  const ctx = context(
    { argv: ['iptables-save'], stdout: `*filter\n${rule}\nCOMMIT\n` },
    { argv: ['iptables-restore', '--noflush', '--wait'], code: 1, stderr: 'locked' },
  )
  await removeUnusedNetworks(engine, ctx, { loadUsed: used() })
  expect(ctx.lines).toEqual(['warn: the rules of the network front are left: iptables-restore said: locked'])
  expect(await loadNetwork(engine, 'front')).toBeDefined()
  await removeUnusedNetworks(engine, context({ argv: ['iptables-save'], missing: true }), {
    loadUsed: used(),
  })
  expect(await loadNetwork(engine, 'front')).toBeUndefined()
})
