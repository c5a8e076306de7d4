export { provision, provisionWith } from './provision.ts'
export { runStage } from './stage.ts'
export { probeContainerEnv, probeUserEnv } from './user-env.ts'
export type { Inside, InsideRequest, InsideResult, Reporter } from './inside.ts'
