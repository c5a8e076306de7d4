import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { facetTable } from '../../packages/core/src/facets.ts'
import type { Generator } from '../generate.ts'
import { listPackages } from '../packages.ts'
import { formatPage, formatTable, generatedFrom } from '../markdown.ts'
import { root } from '../root.ts'

/** Methods of a facet's interface: `LogsFacet { read(…) }`. */
function listMethods(source: string, facet: string): string {
  const type = `${facet.charAt(0).toUpperCase()}${facet.slice(1)}Facet`
  const body = new RegExp(`interface ${type} \\{([\\s\\S]*?)\\n\\}`).exec(source)?.[1]
  if (body === undefined) throw new Error(`no interface ${type} in packages/core/src/facets.ts`)
  return [...body.matchAll(/^ {2}(\w+)\(/gm)].map((match) => `\`${match[1]}\``).join(', ')
}

/** Providers of this repository whose manifest lists the facet. */
function listProviders(facet: string): string {
  const providers = listPackages().flatMap(({ manifest: { holm } }) =>
    holm?.['kind'] === 'provider' && (holm['facets'] as string[] | undefined)?.includes(facet)
      ? [String(holm['id'])]
      : [],
  )
  return providers.length === 0 ? 'none yet' : providers.toSorted().join(', ')
}

const generator: Generator = {
  name: 'facets',
  async generate() {
    const source = await readFile(join(root, 'packages/core/src/facets.ts'), 'utf8')
    const rows = Object.entries(facetTable).map(([facet, meaning]) => [
      `\`${facet}\``,
      meaning,
      listMethods(source, facet),
      listProviders(facet),
    ])
    const page = formatPage(
      generatedFrom('packages/core/src/facets.ts'),
      '# Facets',
      'A facet is an optional group of methods of a provider. Its presence is the capability: `if (provider.snapshots)`. A command that needs\none that is absent fails with `HOLM_FACET_UNSUPPORTED` and names the providers that have it.',
      formatTable(['facet', 'meaning', 'methods', 'providers'], rows),
    )
    return { 'docs/reference/facets.md': page }
  },
}

export default generator
