import { describe, expect, it } from 'vitest'
import { optionsSchema } from './options.ts'

const issues = async (value: unknown): Promise<unknown> => {
  const result = await optionsSchema['~standard'].validate(value)
  return result.issues?.map(({ message, path }) => `${(path ?? []).map(String).join('.')}: ${message}`)
}

describe('the section of a blueprint', () => {
  it('takes an address or a path, with a digest', async () => {
    const digest = `sha256:${'0'.repeat(64)}`
    expect(await issues(undefined)).toBeUndefined()
    expect(
      await issues({ image: { location: 'https://images.test/a.qcow2', digest }, vmType: 'qemu' }),
    ).toBeUndefined()
    expect(await issues({ image: { location: '/images/a.qcow2' }, mountType: 'virtiofs' })).toBeUndefined()
  })

  it('refuses the rest by name', async () => {
    expect(
      await issues({ image: { location: 'a.qcow2', digest: 'md5:1', sum: '' }, vmType: 'kvm', cpu: 1 }),
    ).toEqual([
      'cpu: unknown key; known are image, vmType, mountType',
      'image.sum: unknown key; known are location, digest',
      'image.location: must be an http(s) URL or an absolute path',
      'image.digest: must be "sha256:" with 64 hex digits, or "sha512:" with 128',
      'vmType: must be one of vz, qemu',
    ])
  })
})
