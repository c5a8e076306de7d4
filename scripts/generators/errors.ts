import { errorTable } from '../../packages/core/src/errors.ts'
import type { Generator } from '../generate.ts'
import { formatPage, formatTable, generatedFrom } from '../markdown.ts'

const families: Readonly<Record<number, string>> = {
  2: 'Usage',
  3: 'Configuration and blueprints',
  4: 'Plugins',
  5: 'Provider unavailable',
  6: 'Facet unsupported',
  7: 'Environments',
  8: 'Commands',
  70: 'A bug in holm',
  124: 'Timeouts',
  130: 'Interruption',
}

type Row = [code: string, entry: { readonly exit: number; readonly meaning: string }]

const generator: Generator = {
  name: 'errors',
  async generate() {
    const rows: Row[] = Object.entries(errorTable)
    const exits = [...new Set(rows.map(([, { exit }]) => exit))].toSorted((a, b) => a - b)
    const sections = exits.map((exit) => {
      const title = families[exit]
      if (title === undefined)
        throw new Error(`no family of exit code ${exit} in scripts/generators/errors.ts`)
      const own = rows.filter(([, entry]) => entry.exit === exit)
      const table = formatTable(
        ['code', 'meaning'],
        own.map(([code, { meaning }]) => [`\`${code}\``, meaning]),
      )
      return `## ${title}: exit code ${exit}\n\n${table}`
    })
    const page = formatPage(
      generatedFrom('packages/core/src/errors.ts'),
      '# Errors',
      'Every error has a code, a message with the offending value, and mostly a hint. With `--json` it is a document on stdout with the same\nparts. `holm exec` and `holm run` pass on the exit code of the command inside.',
      ...sections,
    )
    return { 'docs/reference/errors.md': page }
  },
}

export default generator
