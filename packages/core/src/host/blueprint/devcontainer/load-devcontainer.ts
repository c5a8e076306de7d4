import { HolmError } from '../../../errors.ts'
import type { FoundBlueprint } from '../find-blueprint.ts'
import type { LoadedBlueprint } from '../loaded-blueprint.ts'

export async function loadDevcontainer(found: FoundBlueprint): Promise<LoadedBlueprint> {
  throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `${found.project}: dev containers come next`)
}
