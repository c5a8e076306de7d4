import { randomBytes } from 'node:crypto'
import type { Base, Provider } from '@holm/core'
import { createSpec, createTar, createTestContext, parseTar, waitFor } from '@holm/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { liveSkip, openLive, type Live } from './live.ts'
import { startRegistry, type Registry } from './registry.ts'

const reason = liveSkip()

describe(
  `docker, a registry${reason === undefined ? '' : ` (skipped: ${reason})`}`,
  { skip: reason !== undefined },
  () => {
    let registry: Registry
    let live: Live
    const made: Base[] = []
    beforeAll(async () => {
      registry = await startRegistry()
      live = openLive()
    })
    afterAll(async () => {
      for (const base of made) await live.provider.images?.remove(base, createTestContext())
      live.engine.dispose()
      await registry.close()
    })

    const version = (text: string): Buffer =>
      createTar([{ path: 'version', mode: 0o644, data: Buffer.from(text) }])
    const ballast = (): Buffer =>
      createTar([{ path: 'ballast', mode: 0o644, data: randomBytes(6 * 1024 * 1024) }])
    const image = (name: string, digest?: string): Extract<Base, { kind: 'image' }> => {
      const base = {
        kind: 'image',
        reference: `${registry.host}/holm/${name}`,
        ...(digest && { digest }),
      } as const
      made.push(base)
      return base
    }

    /** What the file of the first layer holds in an environment made from the base. */
    async function read(provider: Provider, base: Base): Promise<string> {
      const name = `v-${randomBytes(3).toString('hex')}`
      await provider.create(createSpec({ name, base }), createTestContext())
      const chunks: Uint8Array[] = []
      for await (const chunk of provider.files?.get(name, '/version', createTestContext()) ?? [])
        chunks.push(chunk)
      await provider.remove(name, { volumes: true }, createTestContext())
      return parseTar(Buffer.concat(chunks))[0]?.data.toString() ?? ''
    }

    it('an image is pulled layer by layer, and is known by its digest from then on', async () => {
      const digest = registry.push('holm/layered', '1', [version('one'), ballast()])
      const ctx = createTestContext()
      const info = await live.provider.images?.prepare(image('layered:1'), ctx)
      expect(info?.base).toMatchObject({ kind: 'image', digest })
      const layers = new Set(ctx.updates.flatMap(({ item }) => item ?? []))
      expect(layers.size).toBeGreaterThanOrEqual(2)
      const counted = ctx.updates.filter(({ current, total, unit }) => unit === 'bytes' && current && total)
      expect(counted.length).toBeGreaterThan(0)
      for (const { current = 0, total = 0 } of counted) expect(current).toBeLessThanOrEqual(total)
      expect(ctx.updates[0]?.message).toBe(`pulling ${registry.host}/holm/layered:1`)
      const before = registry.requests.length
      await live.provider.images?.prepare(image('layered:1'), createTestContext())
      expect(registry.requests.length).toBe(before)
    })

    it('a digest names the same image when its tag has moved on', async () => {
      const first = registry.push('holm/moving', '1', [version('one')])
      const second = registry.push('holm/moving', '1', [version('two')])
      expect(await read(live.provider, image('moving:1', first))).toBe('one')
      expect(await read(live.provider, image('moving:1'))).toBe('two')
      const info = await live.provider.images?.inspect(image('moving:1'), createTestContext())
      expect(info?.base).toMatchObject({ digest: second })
    })

    it.each(['none:1', 'layered:none'])(
      '%s, which the registry does not have, is said to be missing',
      async (name) => {
        await expect(live.provider.images?.prepare(image(name), createTestContext())).rejects.toMatchObject({
          code: 'HOLM_IMAGE_MISSING',
          message: expect.stringContaining(
            `the image ${registry.host}/holm/${name} is not on this machine`,
          ) as string,
        })
      },
    )

    it('a pull that hangs ends when it is aborted, and can be done again', async () => {
      registry.push('holm/slow', '1', [version('slow'), ballast()])
      registry.stallLayersAfter(1000)
      const controller = new AbortController()
      const ctx = createTestContext({ signal: controller.signal })
      const pulled = live.provider.images?.prepare(image('slow:1'), ctx)
      const ended = pulled?.then(
        () => 'pulled',
        (error: { code?: string }) => error.code,
      )
      const asked = (): boolean =>
        registry.requests.some((each) => each.startsWith('GET /v2/holm/slow/blobs/'))
      await waitFor(asked, { what: 'the engine to ask for a layer' })
      controller.abort()
      expect(await ended).toBe('HOLM_INTERRUPTED')
      registry.stallLayersAfter(undefined)
      expect(await read(live.provider, image('slow:1'))).toBe('slow')
    })
  },
)
