import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireFacet, type Base, type BaseInfo } from '@holm/core'
import { assertRejects } from '../kit/expect.ts'
import type { Kit, Suite } from '../kit/kit.ts'
import { assertJson } from '../suites/lifecycle.ts'

const absent: Base = { kind: 'image', reference: 'registry.invalid/holm/none:0' }

export const imagesSuite: Suite = {
  name: 'images',
  checks: {
    'prepare makes the base known, and again changes nothing': async (kit) => {
      const images = requireFacet(kit.provider, 'images')
      const first = await images.prepare(kit.options.base, kit.context())
      assertJson(first, 'info')
      assert.ok(first.id.length > 0, 'id')
      for (let round = 1; round < kit.repeat; round += 1) {
        assert.equal((await images.prepare(kit.options.base, kit.context())).id, first.id)
      }
      assert.equal((await images.inspect(kit.options.base, kit.context()))?.id, first.id)
    },
    'a base that is not held is undefined, and never fetched': async (kit) => {
      assert.equal(await requireFacet(kit.provider, 'images').inspect(absent, kit.context()), undefined)
    },
    'a base that cannot be had is HOLM_IMAGE_MISSING': async (kit) => {
      const prepare = requireFacet(kit.provider, 'images').prepare(absent, kit.context())
      await assertRejects(prepare, ['HOLM_IMAGE_MISSING'], 'prepare')
    },
    'remove of a base that is not held succeeds': async (kit) => {
      for (let round = 0; round < kit.repeat; round += 1) {
        await requireFacet(kit.provider, 'images').remove(absent, kit.context())
      }
    },
  },
}

export const buildSuite: Suite = {
  name: 'build',
  checks: {
    'what was built is in the environment': async (kit) => {
      const info = await build(kit, 'RUN printf built > holm-built.txt')
      assertJson(info, 'info')
      const name = await kit.start({ base: info.base })
      // A path of the environment, named relative to its root: without isolation the root is elsewhere.
      assert.equal(await kit.output(name, { argv: ['cat', 'holm-built.txt'], cwd: '/' }), 'built')
    },
    'the same file built again is the same base': async (kit) => {
      const first = await build(kit, 'RUN printf same > same.txt')
      assert.equal((await build(kit, 'RUN printf same > same.txt')).id, first.id)
    },
    'a line that fails is HOLM_COMMAND_FAILED': async (kit) => {
      await assertRejects(build(kit, 'RUN exit 3'), ['HOLM_COMMAND_FAILED'], 'build')
    },
  },
}

async function build(kit: Kit, line: string): Promise<BaseInfo> {
  const { base } = kit.options
  if (base.kind !== 'image')
    kit.skip(`a Dockerfile starts from an image, and the base under test is ${base.kind}`)
  const context = await mkdtemp(join(tmpdir(), 'holm-build-'))
  kit.onTidy(() => rm(context, { recursive: true, force: true }))
  const dockerfile = join(context, 'Dockerfile')
  const from = base.digest === undefined ? base.reference : `${base.reference}@${base.digest}`
  await writeFile(dockerfile, `FROM ${from}\nWORKDIR /\n${line}\n`)
  const info = await requireFacet(kit.provider, 'build').build(
    { kind: 'build', context, dockerfile, args: {} },
    kit.context(),
  )
  kit.onTidy(() => kit.provider.images?.remove(info.base, kit.context()))
  return info
}
