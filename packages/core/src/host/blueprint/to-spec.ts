import { nativeToSpec } from './native-to-spec.ts'
import type { LoadedBlueprint, SpecInput, SpecResult } from './loaded-blueprint.ts'

/** A loaded blueprint to the one internal model. Pure: reads nothing, asks nobody. */
export function toSpec(loaded: LoadedBlueprint, input: SpecInput): SpecResult {
  return { spec: nativeToSpec(loaded, loaded.blueprint ?? {}, input), warnings: loaded.warnings }
}
