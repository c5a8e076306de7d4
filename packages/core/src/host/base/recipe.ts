import type { BaseRecipe } from './catalogue.ts'

/** Package sources of a machine, as read from /etc/apt. */
export interface AptSource {
  readonly uri: string
  readonly suite: string
}

/** Sources of one-line (`*.list`) and deb822 (`*.sources`) texts; only binary packages over http, https or file. Pure. */
export function parseAptSources(text: string): readonly AptSource[] {
  const lines = text.split('\n').filter((line) => !line.trimStart().startsWith('#'))
  const oneLine = lines.flatMap((line) => {
    const found = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)/.exec(line.trim())
    return found?.[1] !== undefined && found[2] !== undefined ? [{ uri: found[1], suite: found[2] }] : []
  })
  const stanzas = lines
    .join('\n')
    .split(/\n\s*\n/)
    .flatMap(parseStanza)
  return [...oneLine, ...stanzas].filter(({ uri }) => /^(?:https?|file):/.test(uri))
}

function parseStanza(stanza: string): AptSource[] {
  const field = (name: string): string[] => {
    const found = new RegExp(`^${name}:\\s*(.*)$`, 'im').exec(stanza)?.[1]?.trim()
    return found === undefined || found === '' ? [] : found.split(/\s+/)
  }
  if (!field('Types').includes('deb') || field('Enabled')[0] === 'no') return []
  return field('URIs').flatMap((uri) => field('Suites').map((suite) => ({ uri, suite })))
}

export interface MachineSources {
  /** `ID` and `VERSION_CODENAME` of /etc/os-release. */
  readonly distribution: string
  readonly codename: string
  readonly sources: readonly AptSource[]
}

/**
 * Package sources to build from, as `deb` lines for mmdebstrap: the mirror asked for, else where this machine gets its own
 * packages when it is of the same distribution, else none (the tool's default). Pure.
 */
export function resolveSources(
  recipe: BaseRecipe,
  mirror: string | undefined,
  machine: MachineSources | undefined,
): readonly string[] {
  const components = recipe.components.join(' ')
  if (mirror !== undefined) return [`deb ${mirror} ${recipe.suite} ${components}`]
  if (machine?.distribution !== recipe.distribution) return []
  const uriOf = (suffix: string): string | undefined =>
    machine.sources.find(({ suite }) => suite === `${machine.codename}${suffix}`)?.uri
  const line = (suffix: string): string[] => {
    const uri = uriOf(suffix)
    return uri === undefined ? [] : [`deb ${uri} ${recipe.suite}${suffix} ${components}`]
  }
  const main = line('')
  return main.length === 0 ? [] : [...main, ...line('-updates'), ...line('-security')]
}

export interface BuildRequest {
  readonly recipe: BaseRecipe
  readonly include: readonly string[]
  readonly sources: readonly string[]
  /** Absolute path of the tarball. */
  readonly output: string
}

/** mmdebstrap works as root and as anybody with user namespaces; `--mode=auto` chooses. */
export function mmdebstrapArgv({ recipe, include, sources, output }: BuildRequest): readonly string[] {
  return [
    'mmdebstrap',
    '--mode=auto',
    '--variant=minbase',
    '--format=tar',
    `--components=${recipe.components.join(',')}`,
    ...(include.length === 0 ? [] : [`--include=${include.join(',')}`]),
    recipe.suite,
    output,
    ...sources,
  ]
}

/** debootstrap makes a folder and takes one mirror; `tarArgv` packs it. */
export function debootstrapArgv(
  { recipe, include, sources }: BuildRequest,
  folder: string,
): readonly string[] {
  const mirror = sources[0]?.split(' ')[1]
  return [
    'debootstrap',
    '--variant=minbase',
    `--components=${recipe.components.join(',')}`,
    ...(include.length === 0 ? [] : [`--include=${include.join(',')}`]),
    recipe.suite,
    folder,
    ...(mirror === undefined ? [] : [mirror]),
  ]
}

export function tarArgv(folder: string, output: string): readonly string[] {
  return ['tar', '--numeric-owner', '-cf', output, '-C', folder, '.']
}
