import type { Provider } from '@holm/core'
import type { ProviderKitOptions } from '../src/index.ts'

/** A memory provider with one rule broken, and exactly the checks that must notice. */
export interface Broken {
  readonly what: string
  /** What to change on the provider. */
  readonly breakIt?: (provider: Provider) => Partial<Provider>
  readonly options?: Partial<ProviderKitOptions>
  /** Suites to run; default `usualSuites`. */
  readonly suites?: readonly string[]
  readonly fails: readonly string[]
}

/** What nearly everything passes through. */
export const usualSuites = ['manifest', 'lifecycle', 'creation', 'exec', 'streams', 'leftovers']
