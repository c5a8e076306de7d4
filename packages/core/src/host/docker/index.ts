import type { DockerWork } from './engine.ts'

export { assertDocker, forbidsDocker } from './allow.ts'
export { likelyOwnVolumes, nestDocker, ownVolumes, reownMounts } from './spec.ts'

/** Of an environment that has an engine inside; nothing is loaded for one that has none. */
export async function startDockerInside(work: DockerWork): Promise<void> {
  if (work.spec.nestedDocker !== true) return
  const { startDocker } = await import('./engine.ts')
  await startDocker(work)
}

export async function stopDockerInside(work: DockerWork, graceMs: number): Promise<void> {
  if (work.spec.nestedDocker !== true) return
  const { stopDocker } = await import('./engine.ts')
  await stopDocker(work, graceMs)
}
