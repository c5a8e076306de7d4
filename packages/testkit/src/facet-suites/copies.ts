import assert from 'node:assert/strict'
import { requireFacet } from '@holm/core'
import { assertRejects } from '../kit/expect.ts'
import type { Kit, Suite } from '../kit/kit.ts'
import { assertJson, assertState } from '../suites/lifecycle.ts'

const unknown = 't-never-made'
const notFound = ['HOLM_ENVIRONMENT_NOT_FOUND'] as const
const stop = { graceMs: 2000 }

export const snapshotsSuite: Suite = {
  name: 'snapshots',
  checks: {
    'restore puts the files back and leaves it stopped': async (kit) => {
      const snapshots = requireFacet(kit.provider, 'snapshots')
      const name = await kit.start()
      await kit.output(name, ['sh', '-c', 'printf before > file; printf gone > doomed'])
      await takeSnapshot(kit, name, 'one')
      await kit.output(name, ['sh', '-c', 'printf after > file; rm doomed; printf new > added'])
      for (let round = 0; round < kit.repeat; round += 1) {
        const state = await snapshots.restore(name, 'one', kit.context())
        assertState(kit, state, { name, status: 'stopped' })
      }
      await kit.provider.start(name, kit.context())
      const found = await kit.output(name, ['sh', '-c', 'cat file doomed; ls added 2>/dev/null || true'])
      assert.equal(found, 'beforegone')
    },
    'a stopped environment can be saved, too': async (kit) => {
      const name = await kit.start()
      await kit.output(name, ['sh', '-c', 'printf saved > file'])
      await kit.provider.stop(name, stop, kit.context())
      await takeSnapshot(kit, name, 'cold')
      await kit.provider.start(name, kit.context())
      await kit.output(name, ['rm', 'file'])
      await requireFacet(kit.provider, 'snapshots').restore(name, 'cold', kit.context())
      await kit.provider.start(name, kit.context())
      assert.equal(await kit.output(name, ['cat', 'file']), 'saved')
    },
    'they are listed, and removed again': async (kit) => {
      const snapshots = requireFacet(kit.provider, 'snapshots')
      const name = await kit.start()
      assert.deepEqual(await snapshots.list(name, kit.context()), [])
      for (const snapshot of ['a', 'b']) {
        const info = await takeSnapshot(kit, name, snapshot)
        assert.equal(info.name, snapshot)
        assert.equal(info.environment, name)
        assertJson(info, 'info')
      }
      assert.deepEqual((await snapshots.list(name, kit.context())).map((each) => each.name).sort(), [
        'a',
        'b',
      ])
      for (let round = 0; round < kit.repeat; round += 1) await snapshots.remove(name, 'a', kit.context())
      assert.deepEqual(
        (await snapshots.list(name, kit.context())).map((each) => each.name),
        ['b'],
      )
    },
    'a name that is taken is a conflict': async (kit) => {
      const name = await kit.start()
      await takeSnapshot(kit, name, 'same')
      await assertRejects(takeSnapshot(kit, name, 'same'), ['HOLM_ENVIRONMENT_CONFLICT'], 'create')
    },
    'a saved environment goes on running': async (kit) => {
      const name = await kit.start()
      await takeSnapshot(kit, name, 'live')
      assert.equal((await kit.inspect(name)).status, 'running')
      assert.equal(await kit.output(name, ['printf', 'alive']), 'alive')
    },
    'an unknown name is refused': async (kit) => {
      const snapshots = requireFacet(kit.provider, 'snapshots')
      await assertRejects(snapshots.create(unknown, 'x', kit.context()), notFound, 'create')
      await assertRejects(snapshots.restore(unknown, 'x', kit.context()), notFound, 'restore')
      await assertRejects(snapshots.list(unknown, kit.context()), notFound, 'list')
    },
  },
}

/** Snapshots are removed before their environment: some runtimes refuse the other order. */
async function takeSnapshot(
  kit: Kit,
  name: string,
  snapshot: string,
): ReturnType<ReturnType<typeof requireFacet<'snapshots'>>['create']> {
  return requireFacet(kit.provider, 'snapshots').create(name, snapshot, kit.context())
}

export const cloneSuite: Suite = {
  name: 'clone',
  checks: {
    'a clone has the files, the new name and the new labels': async (kit) => {
      const { clone } = requireFacet(kit.provider, 'clone')
      const name = await kit.start({ labels: { role: 'origin' } })
      await kit.output(name, ['sh', '-c', 'printf cloned > file'])
      await kit.provider.stop(name, stop, kit.context())
      const spec = kit.spec({ labels: { role: 'copy' } })
      const state = await clone(name, spec, kit.context())
      assertState(kit, state, { name: spec.name, status: 'stopped' })
      assert.deepEqual({ ...state.labels }, { role: 'copy' })
      await kit.provider.start(spec.name, kit.context())
      assert.equal(await kit.output(spec.name, ['cat', 'file']), 'cloned')
    },
    'clone and origin are independent': async (kit) => {
      const name = await kit.start()
      await kit.output(name, ['sh', '-c', 'printf same > file'])
      const spec = kit.spec()
      await requireFacet(kit.provider, 'clone').clone(name, spec, kit.context())
      await kit.provider.start(spec.name, kit.context())
      await kit.output(spec.name, ['sh', '-c', 'printf changed > file'])
      await kit.output(name, ['sh', '-c', 'printf "%s" origin >> file'])
      assert.equal(await kit.output(name, ['cat', 'file']), 'sameorigin')
      await kit.provider.remove(name, { volumes: true }, kit.context())
      assert.equal(await kit.output(spec.name, ['cat', 'file']), 'changed', 'a clone outlives its origin')
    },
    'everything but the files is as the spec says': async (kit) => {
      const target = '/mnt/of-origin'
      const mounted = kit.provider.traits.mounts.includes('volume')
      const volume = { type: 'volume', source: `${kit.name()}-vol`, target, readonly: false } as const
      const env = { HOLM_T_ORIGIN: 'origin', HOLM_T_BOTH: 'origin' }
      const name = await kit.start({ env, mounts: mounted ? [volume] : [] })
      if (mounted) await kit.output(name, { argv: ['sh', '-c', 'printf x > of-origin'], cwd: target })
      const spec = kit.spec({ env: { HOLM_T_BOTH: 'clone', HOLM_T_CLONE: 'clone' } })
      const state = await requireFacet(kit.provider, 'clone').clone(name, spec, kit.context())
      assertState(kit, state, { name: spec.name, status: 'stopped' })
      assert.equal((await kit.inspect(name)).status, 'running', 'the origin goes on')
      await kit.provider.start(spec.name, kit.context())
      const script = 'printf "%s|%s|%s" "${HOLM_T_ORIGIN-unset}" "$HOLM_T_BOTH" "$HOLM_T_CLONE"'
      assert.equal(await kit.output(spec.name, ['sh', '-c', script]), 'unset|clone|clone')
      if (!mounted) return
      const { text } = await kit.run(spec.name, { argv: ['ls', `.${target}`], cwd: '/' })
      assert.ok(!text.includes('of-origin'), 'what lies in a mount of the origin is not cloned')
    },
    'hostname and limits are those of the spec': async (kit) => {
      const name = await kit.create({ hostname: 'origin-host', resources: { pids: 111 } })
      const spec = kit.spec({ hostname: 'clone-host', resources: { pids: 99 } })
      await requireFacet(kit.provider, 'clone').clone(name, spec, kit.context())
      const { limits } = await kit.provider.start(spec.name, kit.context())
      if (kit.provider.traits.limits.includes('pids'))
        assert.equal(limits.find((each) => each.name === 'pids')?.value, 99)
      if (kit.provider.traits.isolation === 'none') return
      assert.equal((await kit.output(spec.name, ['cat', '/proc/sys/kernel/hostname'])).trim(), 'clone-host')
    },
    'several clones can be made at once': async (kit) => {
      const name = await kit.create()
      const specs = Array.from({ length: 3 }, () => kit.spec())
      const { clone } = requireFacet(kit.provider, 'clone')
      const states = await Promise.all(specs.map((spec) => clone(name, spec, kit.context())))
      assert.deepEqual(
        states.map((state) => state.name),
        specs.map((spec) => spec.name),
      )
    },
    'a taken name with other labels is a conflict': async (kit) => {
      const name = await kit.create()
      const taken = kit.spec({ labels: { owner: 'one' } })
      await kit.provider.create(taken, kit.context())
      const { clone } = requireFacet(kit.provider, 'clone')
      const spec = { ...taken, labels: { owner: 'two' } }
      await assertRejects(clone(name, spec, kit.context()), ['HOLM_ENVIRONMENT_CONFLICT'], 'clone')
    },
    'an unknown name is refused': async (kit) => {
      const { clone } = requireFacet(kit.provider, 'clone')
      await assertRejects(clone(unknown, kit.spec(), kit.context()), notFound, 'clone')
    },
  },
}
