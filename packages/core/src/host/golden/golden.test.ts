import { expect, it } from 'vitest'
import { setStage } from '../../../test/memory-host.ts'
import { choosePruned } from './images.ts'
import type { GoldenImage } from '../../copies-api.ts'

const installs = 'base: host\nscripts: { setup: "echo done >> made" }\n'

it('is built once, used by up without provisioning, and hidden', async () => {
  const stage = await setStage()
  stage.blueprint(installs)
  const host = await stage.open()
  const built = await host.build()
  expect(built).toMatchObject({ outcome: 'built', image: { status: 'ready', provider: 'memory' } })
  expect(built.image.name).toBe(`golden-${built.image.hash.slice(0, 12)}`)
  await expect(host.build()).resolves.toMatchObject({ outcome: 'present', image: { name: built.image.name } })
  const up = await host.up()
  expect(up).toMatchObject({ outcome: 'created', image: built.image.name })
  expect(up.steps.find(({ step }) => step === 'provision')?.skipped).toBe(`golden image ${built.image.name}`)
  expect(up.steps.map(({ step }) => step)).not.toContain('setup')
  expect(await stage.shell(host, 'web', 'cat made')).toBe('done\n')
  await expect(host.list({ all: true })).resolves.toMatchObject([{ name: 'web' }])
  await expect(host.status(built.image.name)).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_FOUND' })
  await expect(host.destroy(built.image.name)).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_FOUND' })
  await expect(host.images.list()).resolves.toMatchObject([{ name: built.image.name, environments: ['web'] }])
})

it('is another one when the blueprint installs something else, and none when it installs nothing', async () => {
  const stage = await setStage()
  stage.blueprint(installs)
  const host = await stage.open()
  const { image } = await host.build()
  stage.blueprint('base: host\nscripts: { setup: "echo other > made" }\n')
  const up = await host.up()
  expect(up.image).toBeUndefined()
  expect(await stage.shell(host, 'web', 'cat made')).toBe('other\n')
  stage.blueprint('base: host\n')
  await expect(host.build()).rejects.toMatchObject({ code: 'HOLM_USAGE' })
  expect((await host.images.show(image.hash.slice(0, 8))).name).toBe(image.name)
})

it('runs lifecycle commands in up, not in the image', async () => {
  const stage = await setStage()
  stage.blueprint(
    `${installs}lifecycle: { onCreate: "echo created >> stages", postStart: "echo started >> stages" }\n`,
  )
  const host = await stage.open()
  await host.build()
  await host.up()
  expect(await stage.shell(host, 'web', 'cat workspace/stages')).toBe('created\nstarted\n')
})

it('of one hash twice at once is built once', async () => {
  const stage = await setStage()
  stage.blueprint(installs)
  stage.provider.faults['start'] = { delayMs: 300 }
  const [a, b] = [await stage.open(), await stage.open()]
  const results = await Promise.all([a.build(), b.build()])
  expect(results.map(({ outcome }) => outcome).toSorted()).toEqual(['built', 'present'])
  expect(stage.methods().filter((method) => method === 'create')).toHaveLength(1)
})

it('built anew replaces, and one that fails leaves nothing', async () => {
  const stage = await setStage()
  stage.blueprint(installs)
  const host = await stage.open()
  const first = await host.build()
  const second = await host.build({ noCache: true })
  expect(second.outcome).toBe('rebuilt')
  expect(second.image.createdAt >= first.image.createdAt).toBe(true)
  stage.blueprint('base: host\nscripts: { setup: exit 7 }\n')
  await expect(host.build()).rejects.toMatchObject({ code: 'HOLM_COMMAND_FAILED' })
  await expect(host.images.list()).resolves.toHaveLength(1)
})

it('half-made by a killed build is shown, never used, and made anew', async () => {
  const stage = await setStage()
  stage.blueprint(installs)
  const host = await stage.open()
  const { image } = await host.build()
  // What a holm leaves that is killed: the environment, without a record that it is whole.
  const other = await stage.open({ env: { HOLM_HOME: `${stage.folder}/other` } })
  await expect(other.images.list()).resolves.toMatchObject([{ name: image.name, status: 'unfinished' }])
  expect((await other.up()).image).toBeUndefined()
  await expect(other.build()).resolves.toMatchObject({ outcome: 'built' })
})

it('interrupted, leaves nothing', async () => {
  const stage = await setStage()
  stage.blueprint(installs)
  const host = await stage.open()
  stage.provider.faults['start'] = 'hang-until-abort'
  const controller = new AbortController()
  const building = host.build({
    signal: controller.signal,
    onEvent: (event) => {
      if (event.type === 'step-started' && event.step === 'start') controller.abort()
    },
  })
  await expect(building).rejects.toMatchObject({ code: 'HOLM_INTERRUPTED' })
  await expect(host.images.list()).resolves.toEqual([])
})

it('up goes the cold way when the image went away, when it is told to, and where nothing can be cloned', async () => {
  const stage = await setStage()
  stage.blueprint(installs)
  const host = await stage.open()
  const { image } = await host.build()
  const cold = await stage.open({ env: { HOLM_UP__GOLDEN: 'false' } })
  expect((await cold.up()).image).toBeUndefined()
  await host.destroy('web')
  stage.provider.faults['clone.clone'] = { code: 'HOLM_ENVIRONMENT_NOT_FOUND' }
  expect(await host.up()).toMatchObject({ outcome: 'created' })
  expect(await stage.shell(host, 'web', 'cat made')).toBe('done\n')
  expect(image.name).toMatch(/^golden-/)
  const bare = await setStage({ facets: ['logs'] })
  bare.blueprint(installs)
  await expect((await bare.open()).build()).rejects.toMatchObject({ code: 'HOLM_FACET_UNSUPPORTED' })
})

it('can be saved by an up that installed things', async () => {
  const stage = await setStage()
  stage.blueprint(installs)
  const host = await stage.open({ env: { HOLM_UP__SAVE_GOLDEN: 'true' } })
  expect((await host.up()).image).toBeUndefined()
  const [image] = await host.images.list()
  expect(image).toMatchObject({ status: 'ready' })
  expect((await host.up({ name: 'second' })).image).toBe(image?.name)
})

it('is removed by name, and pruned when nothing was made from it', async () => {
  const stage = await setStage()
  stage.blueprint(installs)
  const host = await stage.open()
  const { image } = await host.build()
  await host.up()
  await expect(host.images.prune()).resolves.toMatchObject({ removed: [], kept: [{ name: image.name }] })
  await expect(host.images.prune({ all: true, dryRun: true })).resolves.toMatchObject({ removed: [{}] })
  await expect(host.images.list()).resolves.toHaveLength(1)
  await expect(host.images.prune({ all: true })).resolves.toMatchObject({ removed: [{ name: image.name }] })
  await expect(host.images.list()).resolves.toEqual([])
  expect(await stage.shell(host, 'web', 'cat made')).toBe('done\n')
  await expect(host.images.remove(image.name)).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_FOUND' })
})

it('prune chooses by age and use, and never what is being built', () => {
  const image = (name: string, more: Partial<GoldenImage>): GoldenImage => ({
    name,
    hash: name,
    provider: 'memory',
    blueprint: 'web',
    source: '',
    createdAt: '2026-01-01T00:00:00.000Z',
    usedAt: '2026-01-01T00:00:00.000Z',
    tookMs: 1,
    status: 'ready',
    environments: [],
    ...more,
  })
  const images = [
    image('old', {}),
    image('used', { environments: ['web'] }),
    image('new', { usedAt: '2026-02-01T00:00:00.000Z' }),
    image('building', { status: 'building' }),
    image('unfinished', { status: 'unfinished' }),
  ]
  const chosen = (options: Parameters<typeof choosePruned>[1]): string[] =>
    choosePruned(images, options).map(({ name }) => name)
  const now = Date.parse('2026-02-02T00:00:00.000Z')
  expect(chosen({ now })).toEqual(['old', 'new', 'unfinished'])
  expect(chosen({ now, olderThanMs: 7 * 86_400_000 })).toEqual(['old', 'unfinished'])
  expect(chosen({ now, all: true })).toEqual(['old', 'used', 'new', 'unfinished'])
})
