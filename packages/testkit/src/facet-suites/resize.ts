import assert from 'node:assert/strict'
import { isHolmError, requireFacet } from '@holm/core'
import type { EnvironmentState, LimitName, Resources } from '@holm/core'
import { assertRejects } from '../kit/expect.ts'
import type { Kit, Suite } from '../kit/kit.ts'
import { assertState, startBackground } from '../suites/lifecycle.ts'

const mebibyte = 1024 * 1024
const before: Resources = { cpus: 0.5, memoryBytes: 128 * mebibyte, diskBytes: 1024 * mebibyte, pids: 60 }
const after = { cpus: 0.75, memoryBytes: 256 * mebibyte, diskBytes: 2048 * mebibyte, pids: 40 } as const
const keyOf: Readonly<Record<LimitName, keyof Resources>> = {
  cpus: 'cpus',
  memory: 'memoryBytes',
  disk: 'diskBytes',
  pids: 'pids',
}

export const resizeSuite: Suite = {
  name: 'resize',
  checks: {
    'a new limit is applied, told and kept, and the others stay': async (kit) => {
      const changed: LimitName[] = []
      const refused: string[] = []
      for (const limit of kit.provider.traits.limits) {
        const name = await kit.start({ resources: before })
        const reason = await tryResize(kit, name, limit)
        if (reason === undefined) changed.push(limit)
        else refused.push(reason)
      }
      if (changed.length === 0) kit.skip(`no limit can be changed here: ${refused.join('; ')}`)
    },
    'processes survive it where the runtime can resize what runs': async (kit) => {
      const name = await kit.start({ resources: before })
      const pid = await startBackground(kit, name)
      const started = (await kit.inspect(name)).startedAt
      for (const limit of kit.provider.traits.limits) {
        const state = await attempt(kit, name, limit)
        if (typeof state === 'string') continue
        assert.equal(state.status, 'running', limit)
        assert.equal(state.startedAt, started, limit)
        assert.ok(await kit.lives(name, pid), `a process survives a new limit of ${limit}`)
      }
    },
    'a new pids limit stops a program that starts more': async (kit) => {
      const name = await kit.start({ resources: { pids: 200 } })
      const state = await resizeStopped(kit, name, { pids: 40 }).catch(skipUnsupported(kit))
      const applied = state.limits.find((each) => each.name === 'pids')
      if (applied?.enforcedBy == null) kit.skip('nothing enforces pids here, and the state says so')
      const script =
        'i=0; while [ $i -lt 80 ]; do sleep 309 >/dev/null 2>&1 & i=$((i+1)); done; echo started $i; kill $(jobs -p)'
      const result = await kit.run(name, ['sh', '-c', `(${script}) 2>&1`]).catch(() => undefined)
      assert.ok(
        result === undefined ||
          !result.text.includes('started 80') ||
          /fork|Resource temporarily unavailable|can't/i.test(result.text),
        'a program started more processes than the new limit',
      )
    },
    'an unknown name is refused': (kit) =>
      assertRejects(
        requireFacet(kit.provider, 'resize').resize('t-never-made', { pids: 40 }, kit.context()),
        ['HOLM_ENVIRONMENT_NOT_FOUND'],
        'resize',
      ),
  },
}

/** The state, or why this limit cannot be changed (here, or while it runs). */
async function attempt(kit: Kit, name: string, limit: LimitName): Promise<EnvironmentState | string> {
  const key = keyOf[limit]
  try {
    return await requireFacet(kit.provider, 'resize').resize(name, { [key]: after[key] }, kit.context())
  } catch (error) {
    if (isHolmError(error, 'HOLM_BLUEPRINT_UNSUPPORTED')) return `${limit}: ${error.message}`
    if (isHolmError(error, 'HOLM_ENVIRONMENT_RUNNING')) return `${limit}: ${error.message}`
    throw error
  }
}

/** Resizes it, stopped in between where the runtime wants that; leaves it running. */
async function resizeStopped(kit: Kit, name: string, resources: Resources): Promise<EnvironmentState> {
  const { resize } = requireFacet(kit.provider, 'resize')
  try {
    return await resize(name, resources, kit.context())
  } catch (error) {
    if (!isHolmError(error, 'HOLM_ENVIRONMENT_RUNNING')) throw error
    await kit.provider.stop(name, { graceMs: 2000 }, kit.context())
    const state = await resize(name, resources, kit.context())
    assertState(kit, state, { name, status: 'stopped' })
    return kit.provider.start(name, kit.context())
  }
}

/** Undefined when the limit was changed and all is as it should be; else why it cannot be. */
async function tryResize(kit: Kit, name: string, limit: LimitName): Promise<string | undefined> {
  const key = keyOf[limit]
  const old = limitsOf(await kit.inspect(name))
  try {
    const wanted = { ...old, [limit]: after[key] }
    assert.deepEqual(limitsOf(await resizeStopped(kit, name, { [key]: after[key] })), wanted, limit)
    assert.deepEqual(limitsOf(await kit.inspect(name)), wanted, `${limit}, inspected`)
    await kit.provider.stop(name, { graceMs: 2000 }, kit.context())
    await kit.provider.start(name, kit.context())
    assert.deepEqual(limitsOf(await kit.inspect(name)), wanted, `${limit} after stop and start`)
    return undefined
  } catch (error) {
    if (!isHolmError(error, 'HOLM_BLUEPRINT_UNSUPPORTED')) throw error
    assert.deepEqual(limitsOf(await kit.inspect(name)), old, `limits after a refused ${limit}`)
    return `${limit}: ${error.message}`
  }
}

function limitsOf({ limits }: EnvironmentState): Record<string, number> {
  return Object.fromEntries(limits.map(({ name, value }) => [name, value]))
}

function skipUnsupported(kit: Kit): (error: unknown) => never {
  return (error) => {
    if (isHolmError(error, 'HOLM_BLUEPRINT_UNSUPPORTED')) kit.skip(error.message)
    throw error
  }
}
