export { contractVersion, definePlugin } from './plugin.ts'
export type {
  Dispose,
  PluginApi,
  PluginDefinition,
  PluginKind,
  PluginKinds,
  PluginManifest,
  PluginPaths,
  PluginRecords,
} from './plugin.ts'
export type { AiBackend, EditorIntegration, Mesh } from './kinds.ts'
export {
  HolmError,
  abortError,
  assertNotAborted,
  errorTable,
  exitCodeOf,
  isHolmError,
  notRunning,
} from './errors.ts'
export type { ErrorCode, HolmErrorOptions } from './errors.ts'
export { objectSchema, optionChecks } from './object-schema.ts'
export type { OptionCheck } from './object-schema.ts'
export { signalName, signalNumber } from './signals.ts'
export { facetNames, facetTable, requireFacet } from './facets.ts'
export type * from './facets.ts'
export type * from './provider.ts'
export type * from './process.ts'
export type * from './spec.ts'
export type * from './standard-schema.ts'
export type * from './command.ts'
export type * from './events.ts'
export type * from './hooks.ts'
export type * from './blueprint.ts'
export type * from './host-api.ts'
export type * from './copies-api.ts'
export type * from './idle-api.ts'
export type * from './ports-api.ts'
