// `pnpm record`: what the last `npm test` saw of each provider becomes what the docs say.
import { writeFileSync } from 'node:fs'
import { verdictOf, type Conformance, type Counts, type Tier } from './testing/conformance.ts'
import { conformanceRecord, conformanceRun, readConformance } from './testing/conformance-files.ts'

const run = readConformance(conformanceRun)
if (run === undefined) throw new Error('no test run is recorded: run npm test first')
writeFileSync(
  conformanceRecord,
  `${JSON.stringify(merge(readConformance(conformanceRecord) ?? {}, run), undefined, 2)}\n`,
)
console.log(`recorded ${Object.keys(run).join(', ')}; now run pnpm generate`)

/** Tiers that did not run here keep what was recorded where they did. */
function merge(before: Conformance, now: Conformance): Conformance {
  const providers = [...new Set([...Object.keys(before), ...Object.keys(now)])].toSorted()
  return Object.fromEntries(providers.map((id) => [id, { ...before[id], ...ranOf(now[id] ?? {}) }]))
}

function ranOf(tiers: Conformance[string]): Conformance[string] {
  const entries = Object.entries(tiers) as [Tier, Readonly<Record<string, Counts>>][]
  return Object.fromEntries(
    entries.filter(([, suites]) => Object.values(suites).some((counts) => verdictOf(counts) !== 'skipped')),
  )
}
