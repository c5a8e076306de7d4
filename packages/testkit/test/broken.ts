import type { Provider } from '@holm/core'
import type { ProviderKitOptions } from '../src/index.ts'

/** A memory provider with one rule broken, and exactly the checks that must notice. */
export interface Broken {
  readonly what: string
  /** What to change on the provider. */
  readonly breakIt?: (provider: Provider) => Partial<Provider>
  readonly options?: Partial<ProviderKitOptions>
  /** Suites to run: those the breakage could touch, so that the others are shown to stay silent. */
  readonly suites: readonly string[]
  readonly fails: readonly string[]
}
