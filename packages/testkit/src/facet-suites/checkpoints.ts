import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { requireFacet } from '@holm/core'
import { assertRejects } from '../kit/expect.ts'
import type { Kit, Suite } from '../kit/kit.ts'
import { waitFor } from '../kit/wait-for.ts'
import { assertJson, assertState } from '../suites/lifecycle.ts'

const unknown = 't-never-made'

/** Keeps the token in its memory alone, and writes it down when asked. Prints its process id. */
const keeper =
  'token=$(cat); (while [ ! -e ask ]; do sleep 0.05; done; printf %s "$token" > answer; sleep 308) </dev/null >/dev/null 2>&1 & echo $!'

export const checkpointsSuite: Suite = {
  name: 'checkpoints',
  checks: {
    'what ran goes on where it was, memory included': async (kit) => {
      const name = await kit.start()
      const token = randomBytes(8).toString('hex')
      const { text: pid } = await kit.run(name, ['sh', '-c', keeper], token)
      await save(kit, name, 'live')
      await kit.output(name, ['kill', pid.trim()])
      await kit.waitForDeath(name, pid.trim())
      for (let round = 0; round < kit.repeat; round += 1) {
        const state = await requireFacet(kit.provider, 'snapshots').restore(name, 'live', kit.context())
        assertState(kit, state, { name, status: 'running' })
      }
      await kit.output(name, ['touch', 'ask'])
      const answer = (): Promise<string> => kit.output(name, ['sh', '-c', 'cat answer 2>/dev/null || true'])
      await waitFor(async () => (await answer()) === token, { what: 'the answer of a restored program' })
    },
    'restore puts the files back and leaves it running': async (kit) => {
      const name = await kit.start()
      await kit.output(name, ['sh', '-c', 'printf before > file'])
      await save(kit, name, 'live')
      await kit.output(name, ['sh', '-c', 'printf after > file; printf new > added'])
      const state = await requireFacet(kit.provider, 'snapshots').restore(name, 'live', kit.context())
      assertState(kit, state, { name, status: 'running' })
      const found = await kit.output(name, ['sh', '-c', 'cat file; ls added 2>/dev/null || true'])
      assert.equal(found, 'before')
    },
    'a stopped environment can be restored to it': async (kit) => {
      const name = await kit.start()
      await kit.output(name, ['sh', '-c', 'printf before > file'])
      await save(kit, name, 'live')
      await kit.provider.stop(name, { graceMs: 2000 }, kit.context())
      const state = await requireFacet(kit.provider, 'snapshots').restore(name, 'live', kit.context())
      assert.equal(state.status, 'running')
      assert.equal(await kit.output(name, ['cat', 'file']), 'before')
    },
    'it is listed and removed with the snapshots': async (kit) => {
      const snapshots = requireFacet(kit.provider, 'snapshots')
      const name = await kit.start()
      const info = await save(kit, name, 'live')
      assertJson(info, 'info')
      assert.equal(info.includesMemory, true)
      await snapshots.create(name, 'cold', kit.context())
      const listed = await snapshots.list(name, kit.context())
      const memory = Object.fromEntries(listed.map((each) => [each.name, each.includesMemory]))
      assert.deepEqual(memory, { live: true, cold: false })
      for (let round = 0; round < kit.repeat; round += 1) await snapshots.remove(name, 'live', kit.context())
      assert.deepEqual(
        (await snapshots.list(name, kit.context())).map((each) => each.name),
        ['cold'],
      )
    },
    'a saved environment goes on running': async (kit) => {
      const name = await kit.start()
      await save(kit, name, 'live')
      assert.equal((await kit.inspect(name)).status, 'running')
      assert.equal(await kit.output(name, ['printf', 'alive']), 'alive')
    },
    'a name that is taken is a conflict': async (kit) => {
      const name = await kit.start()
      await requireFacet(kit.provider, 'snapshots').create(name, 'same', kit.context())
      await assertRejects(save(kit, name, 'same'), ['HOLM_ENVIRONMENT_CONFLICT'], 'create')
    },
    'a stopped environment is refused': async (kit) => {
      await assertRejects(save(kit, await kit.create(), 'x'), ['HOLM_ENVIRONMENT_NOT_RUNNING'], 'create')
    },
    'an unknown name is refused': (kit) =>
      assertRejects(save(kit, unknown, 'x'), ['HOLM_ENVIRONMENT_NOT_FOUND'], 'create'),
  },
}

function save(
  kit: Kit,
  name: string,
  snapshot: string,
): ReturnType<ReturnType<typeof requireFacet<'checkpoints'>>['create']> {
  return requireFacet(kit.provider, 'checkpoints').create(name, snapshot, kit.context())
}
