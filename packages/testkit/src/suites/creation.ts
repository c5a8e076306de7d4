import assert from 'node:assert/strict'
import type { EnvironmentSpec } from '@holm/core'
import { assertCode, assertRejects } from '../kit/expect.ts'
import type { Kit, Suite } from '../kit/kit.ts'
import { within } from '../kit/wait-for.ts'
import { listNames } from './lifecycle.ts'

export const creationSuite: Suite = {
  name: 'creation',
  checks: {
    'a taken name with other labels is a conflict': async (kit) => {
      const spec = kit.spec({ labels: { owner: 'one' } })
      await kit.provider.create(spec, kit.context())
      for (let round = 0; round < kit.repeat; round += 1) {
        const other = { ...spec, labels: { owner: 'two' } }
        await assertRejects(
          kit.provider.create(other, kit.context()),
          ['HOLM_ENVIRONMENT_CONFLICT'],
          'create',
        )
      }
      assert.deepEqual(
        { ...(await kit.inspect(spec.name)).labels },
        { owner: 'one' },
        'the first one is untouched',
      )
    },
    'a missing base is refused and leaves nothing': async (kit) => {
      const spec = kit.spec({ base: missingBase(kit) })
      const codes = ['HOLM_IMAGE_MISSING', 'HOLM_BASE_NOT_FOUND', 'HOLM_BASE_INVALID'] as const
      await assertRejects(kit.provider.create(spec, kit.context()), codes, 'create')
      await assertNothing(kit, spec.name)
    },
    'an abort before create begins leaves nothing': async (kit) => {
      const spec = kit.spec()
      const create = kit.provider.create(spec, kit.context(AbortSignal.abort()))
      await assertRejects(create, ['HOLM_INTERRUPTED'], 'create')
      await assertNothing(kit, spec.name)
    },
    'an abort in the middle of create leaves nothing': async (kit) => {
      const took = await measureCreate(kit)
      for (const part of [0, 0.1, 0.25, 0.5, 0.75, 0.9]) {
        const spec = kit.spec()
        await abortAfter(kit, spec, took * part)
        // What an abort left would be in the way of the next one.
        await kit.provider.create(spec, kit.context())
        assert.equal((await kit.inspect(spec.name)).status, 'stopped')
      }
    },
    'an abort at the first sign of progress leaves nothing': async (kit) => {
      const spec = kit.spec()
      const controller = new AbortController()
      const context = { ...kit.context(controller.signal), progress: () => controller.abort() }
      await settleAborted(kit, spec, kit.provider.create(spec, context))
    },
    'many creates of one name at once make exactly one': async (kit) => {
      const spec = kit.spec()
      const creates = Array.from({ length: kit.parallel }, () => kit.provider.create(spec, kit.context()))
      const settled = await Promise.allSettled(creates)
      const made = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
      assert.ok(made.length > 0, 'at least one create succeeds')
      assert.equal(new Set(made.map(({ id }) => id)).size, 1, 'all that succeed return the same environment')
      for (const each of settled) {
        if (each.status === 'rejected') {
          assertCode(each.reason, ['HOLM_ENVIRONMENT_BUSY', 'HOLM_ENVIRONMENT_CONFLICT'], 'a losing create')
        }
      }
      assert.equal((await listNames(kit)).filter((name) => name === spec.name).length, 1, 'it is listed once')
      await kit.provider.start(spec.name, kit.context())
    },
    'many names can be created and started at once': async (kit) => {
      const names = await Promise.all(Array.from({ length: kit.parallel }, () => kit.start()))
      const said = await Promise.all(names.map((name) => kit.output(name, ['printf', '%s', name])))
      assert.deepEqual(said, names)
      const listed = await listNames(kit)
      for (const name of names) assert.ok(listed.includes(name), `${name} is listed`)
    },
    'names at the limits work': async (kit) => {
      const long = `${kit.name()}-${'n'.repeat(40)}`.slice(0, 40)
      for (const name of ['t', '0', 'a-1--b', long]) {
        await kit.start({ name, hostname: name })
        assert.equal((await kit.inspect(name)).status, 'running', name)
        assert.equal(await kit.output(name, ['printf', 'in']), 'in')
        await kit.provider.remove(name, { volumes: true }, kit.context())
      }
    },
    'one name may begin another': async (kit) => {
      const short = kit.name()
      await kit.start({ name: short })
      await kit.create({ name: `${short}-more` })
      await kit.provider.remove(`${short}-more`, { volumes: true }, kit.context())
      assert.equal((await kit.inspect(short)).status, 'running')
    },
  },
}

function missingBase({ options }: Kit): EnvironmentSpec['base'] {
  const { kind } = options.base
  if (kind === 'image' || kind === 'build')
    return { kind: 'image', reference: 'registry.invalid/holm/none:0' }
  if (kind === 'folder') return { kind, name: 'none', path: '/nonexistent/none' }
  if (kind === 'disk')
    return { kind, name: 'none', path: '/nonexistent/none.qcow2', format: 'qcow2', sha256: '0'.repeat(64) }
  return { kind: 'rootfs', name: 'none', path: '/nonexistent/none.tar', sha256: '0'.repeat(64) }
}

async function measureCreate(kit: Kit): Promise<number> {
  const since = performance.now()
  await kit.create()
  return performance.now() - since
}

async function abortAfter(kit: Kit, spec: EnvironmentSpec, delayMs: number): Promise<void> {
  const controller = new AbortController()
  const create = kit.provider.create(spec, kit.context(controller.signal))
  const timer = setTimeout(() => controller.abort(), delayMs)
  try {
    await settleAborted(kit, spec, create)
  } finally {
    clearTimeout(timer)
  }
}

/** A create that an abort hit must reject and leave nothing; one that was faster than the abort is removed. */
async function settleAborted(kit: Kit, spec: EnvironmentSpec, create: Promise<unknown>): Promise<void> {
  const made = await within(create, { what: 'an aborted create to settle' }).then(
    () => true,
    (error: unknown) => {
      assertCode(error, ['HOLM_INTERRUPTED'], 'an aborted create')
      return false
    },
  )
  if (made) await kit.provider.remove(spec.name, { volumes: true }, kit.context())
  await assertNothing(kit, spec.name)
}

async function assertNothing(kit: Kit, name: string): Promise<void> {
  assert.equal((await kit.inspect(name)).status, 'absent', `${name} after a failed create`)
  assert.ok(!(await listNames(kit)).includes(name), `${name} is listed after a failed create`)
}
