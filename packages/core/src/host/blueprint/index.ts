export { assertBlueprint } from './validate-native.ts'
export { listBuiltins } from './builtins.ts'
export { loadBlueprint, withBlueprint } from './load-blueprint.ts'
export { detectTemplate, renderTemplate, templateNames } from './templates.ts'
export { toSpec } from './to-spec.ts'
export { mergeImageMetadata } from './devcontainer/image-metadata.ts'
export { unmetRequirements } from './devcontainer/host-requirements.ts'
export { diffSpecs, hashSpec } from './hash-spec.ts'
export { assertProviderOptions } from './provider-options.ts'
export { assertEnvironmentName, slugify } from './environment-name.ts'
export type { BlueprintContext } from './blueprint-context.ts'
export type {
  BlueprintFormat,
  HostRequirements,
  LoadedBlueprint,
  SpecInput,
  SpecResult,
} from './loaded-blueprint.ts'
export { resolveContainerVariables } from './container-variables.ts'
