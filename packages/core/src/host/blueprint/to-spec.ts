import { devcontainerToSpec } from './devcontainer/devcontainer-to-spec.ts'
import { nativeToSpec } from './native-to-spec.ts'
import type { LoadedBlueprint, SpecInput, SpecResult } from './loaded-blueprint.ts'

/** A loaded blueprint to the one internal model. Pure: reads nothing, asks nobody. */
export function toSpec(loaded: LoadedBlueprint, input: SpecInput): SpecResult {
  if (loaded.devcontainer !== undefined) return devcontainerToSpec(loaded, loaded.devcontainer, input)
  return { spec: nativeToSpec(loaded, loaded.blueprint ?? {}, input), warnings: loaded.warnings }
}
