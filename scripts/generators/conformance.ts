import { facetNames } from '../../packages/core/src/facets.ts'
import type { Generator } from '../generate.ts'
import { formatPage, formatTable } from '../markdown.ts'
import { listPackages } from '../packages.ts'
import { verdictOf, type Conformance, type Counts } from '../testing/conformance.ts'
import { conformancePage, conformanceRecord, readConformance } from '../testing/conformance-files.ts'

interface Column {
  readonly id: string
  readonly facets: readonly string[]
  readonly seen: Conformance[string]
}

function listColumns(record: Conformance): Column[] {
  return listPackages().flatMap(({ manifest: { holm } }) =>
    holm?.['kind'] === 'provider'
      ? [
          {
            id: String(holm['id']),
            facets: holm['facets'] as string[],
            seen: record[String(holm['id'])] ?? {},
          },
        ]
      : [],
  )
}

/** Which tier last passed this part; a live one says more than a scripted one. */
function cellOf(column: Column, suite: string, offered: boolean): string {
  if (!offered) return '-'
  for (const tier of ['live', 'scripted'] as const) {
    const counts = column.seen[tier]?.[suite]
    if (counts !== undefined && verdictOf(counts) === 'passed') return `${tier} ${describeCounts(counts)}`
    if (counts !== undefined && verdictOf(counts) === 'failed') return `${tier}: fails`
  }
  return 'not tested'
}

function describeCounts({ passed, skipped }: Counts): string {
  return skipped === 0 ? `${passed}` : `${passed} of ${passed + skipped}`
}

function listCoreSuites(columns: readonly Column[]): string[] {
  const suites = columns.flatMap(({ seen }) => Object.values(seen).flatMap((each) => Object.keys(each)))
  return [...new Set(suites)].filter((suite) => !(facetNames as readonly string[]).includes(suite))
}

const generator: Generator = {
  name: 'conformance',
  generate() {
    const columns = listColumns(readConformance(conformanceRecord) ?? {})
    const head = ['', ...columns.map(({ id }) => id)]
    const core = listCoreSuites(columns).map((suite) => [
      suite,
      ...columns.map((each) => cellOf(each, suite, true)),
    ])
    const facets = facetNames.map((facet) => [
      `\`${facet}\``,
      ...columns.map((each) => cellOf(each, facet, each.facets.includes(facet))),
    ])
    const page = formatPage(
      '<!-- Generated from docs/reference/conformance.json by pnpm generate; pnpm record writes that after a run of npm test. -->',
      '# What was seen to work',
      'Every provider has to pass one and the same conformance kit. This is what its last recorded run saw: **live** on the real\nruntime, **scripted** against a stand-in that answers as the recorded tool does and really runs what it starts. The number counts the rules that\npassed; "of" appears where some do not apply, which the test run names with their reasons. `npm test` fails when this page is no longer true.',
      '## Core',
      formatTable(head, core),
      '## Facets',
      'A dash: the provider does not offer it.',
      formatTable(head, facets),
    )
    return Promise.resolve({ [conformancePage]: page })
  },
}

export default generator
