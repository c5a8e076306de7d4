import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../root.ts'
import type { Conformance } from './conformance.ts'

/** What the last `npm test` on this machine saw. */
export const conformanceRun: string = join(root, '.cache', 'conformance.json')
/** What the docs say was seen: written by `pnpm record` after a green run. */
export const conformanceRecord: string = join(root, 'docs', 'reference', 'conformance.json')
export const conformancePage = 'docs/reference/conformance.md'

/** Undefined when there is none, or none that can be read. */
export function readConformance(path: string): Conformance | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Conformance
  } catch {
    return undefined
  }
}
