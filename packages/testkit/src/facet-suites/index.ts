import type { FacetName } from '@holm/core'
import type { Suite } from '../kit/kit.ts'
import { checkpointsSuite } from './checkpoints.ts'
import { exportSuite } from './export.ts'
import { buildSuite, imagesSuite } from './images.ts'
import { cloneSuite, snapshotsSuite } from './copies.ts'
import { filesSuite } from './files.ts'
import { resizeSuite } from './resize.ts'
import { logsSuite, metricsSuite, pauseSuite, portsSuite } from './watching.ts'

/** One suite for every facet of the contract: a facet without a suite does not compile. */
export const facetSuites: Readonly<Record<FacetName, Suite>> = {
  logs: logsSuite,
  ports: portsSuite,
  files: filesSuite,
  metrics: metricsSuite,
  pause: pauseSuite,
  images: imagesSuite,
  build: buildSuite,
  snapshots: snapshotsSuite,
  checkpoints: checkpointsSuite,
  clone: cloneSuite,
  export: exportSuite,
  resize: resizeSuite,
}
