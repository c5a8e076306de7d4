// Creates an environment in a process of its own, which another test kills; tells when it has begun.
import { createRunner } from '@holm/core/host'
import { createSpec, createTestContext } from '@holm/testkit'
import type { EnvironmentSpec } from '@holm/core'
import { createWslProvider, type WslOptions } from '../src/index.ts'

const [options, spec] = process.argv.slice(2).map((word) => JSON.parse(word) as unknown) as [
  WslOptions,
  Partial<EnvironmentSpec>,
]
const context = createTestContext({ runner: createRunner({ env: options.env }) })
await createWslProvider(options).create(createSpec(spec), {
  ...context,
  progress: ({ message }) => process.stdout.write(`${message}\n`),
})
