import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryProvider } from '@holm/testkit/memory'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { definePlugin, type Provider, type StandardSchema } from '../../index.ts'
import { createHost } from '../create-host.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holm-validate-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const schema: StandardSchema = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      (value as { size?: unknown }).size === 'small'
        ? { value }
        : { issues: [{ message: 'must be small', path: ['size'] }] },
  },
}

it.each([
  ['{ memory: { size: small } }', undefined],
  ['{ memory: { size: huge } }', 'providers.memory: size: must be small'],
  ['{ memroy: {} }', 'providers.memroy: no provider has this id, did you mean "memory"?'],
])('validates the sections of providers by their own schemas: %s', async (sections, message) => {
  const memory = createMemoryProvider({ root: join(folder, 'memory') })
  const provider: Provider = { ...memory, optionsSchema: schema }
  const plugin = definePlugin({
    name: 'test-memory',
    contract: 1,
    setup: (api) => void api.provide('provider', 'memory', () => provider),
  })
  const env = { PATH: process.env['PATH'], HOME: folder, HOLM_HOME: join(folder, 'home') }
  const host = await createHost({ cwd: folder, plugins: [plugin], env })
  writeFileSync(join(folder, 'holm.yaml'), `base: host\nproviders: ${sections}\n`)
  try {
    const told = await host.blueprints.validate(undefined).then(
      () => undefined,
      (error: Error) => error.message,
    )
    expect(told).toBe(message)
  } finally {
    await host.close()
    await memory.dispose()
  }
})
