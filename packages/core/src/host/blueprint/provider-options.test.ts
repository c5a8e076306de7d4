import { describe, expect, it } from 'vitest'
import { assertProviderOptions } from './provider-options.ts'
import { toSpec } from './to-spec.ts'
import type { StandardSchema } from '../../standard-schema.ts'

const schema: StandardSchema = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      (value as { ok?: boolean }).ok === true
        ? { value: { ok: true, size: 1 } }
        : {
            issues: [
              { message: 'must be true', path: ['ok'] },
              { message: 'whole', path: [] },
            ],
          },
  },
}

function specWith(providers: Record<string, unknown>) {
  const loaded = {
    source: '/a/holm.yaml',
    format: 'native',
    project: '/a',
    directory: '/a',
    warnings: [],
    defaultName: 'a',
    blueprint: { providers },
  } as const
  return toSpec(loaded, { base: { kind: 'host' }, env: {} }).spec
}

describe('assertProviderOptions', () => {
  it('returns the spec with the section as the schema leaves it', async () => {
    const spec = specWith({ lxc: { ok: true }, docker: { any: 1 } })
    expect((await assertProviderOptions(spec, 'lxc', schema, ['lxc'])).options).toEqual({
      lxc: { ok: true, size: 1 },
      docker: { any: 1 },
    })
  })

  it.each([
    [{ lxc: { ok: false } }, schema, 'providers.lxc: ok: must be true; whole'],
    [{ lxc: {} }, undefined, 'providers.lxc: the provider lxc takes no options'],
    [{ dokcer: {} }, undefined, 'providers.dokcer: no provider has this id, did you mean "docker"?'],
  ])('%j', async (providers, schema, message) => {
    await expect(assertProviderOptions(specWith(providers), 'lxc', schema, ['lxc'])).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_INVALID',
      message,
    })
  })
})
