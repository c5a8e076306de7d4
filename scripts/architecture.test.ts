import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, relative, sep } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findFiles } from './bootstrap/stamps.mjs'
import { collectImports, type Import } from './imports.ts'
import { listPackages, type WorkspacePackage } from './packages.ts'

// Section 2 of the design: which packages of holm each may import. Everything not named here is a plugin of a kind.
const contractOnly = ['@holm/core']
/** What a server has in common with its clients. */
const remote = ['@holm/sdk', '@holm/sdk/methods']
const features = new Set(['workspace', 'serve', 'enforcer', 'mcp', 'node', 'hub', 'sequence'])
const plugins = /^(?:provider|mesh|ai|editor)-/

/** Each of these libraries is known to exactly one place, given as a predicate over `package/path`. */
const ownedLibraries: readonly { library: RegExp; owner: RegExp }[] = [
  { library: /^tapable$/, owner: /^core\/src\/host\/hooks\.ts$/ },
  { library: /^cosmiconfig$/, owner: /^core\/src\/host\// },
  { library: /^(?:@oclif\/.*|oclif)$/, owner: /^cli\// },
  { library: /^dockerode$/, owner: /^provider-docker\// },
]

interface SourceImport extends Import {
  /** `core/src/index.ts`, with forward slashes on every platform. */
  readonly file: string
  readonly owner: WorkspacePackage
}

const packages = listPackages()
const imports = packages.flatMap((owner) => listSourceImports(owner))

function listSourceImports(owner: WorkspacePackage): SourceImport[] {
  const files = findFiles(
    join(owner.folder, 'src'),
    (path) => path.endsWith('.ts') && !path.endsWith('.test.ts'),
  )
  return files.flatMap((path) => {
    const file = [owner.id, ...relative(owner.folder, path).split(sep)].join('/')
    return collectImports(readFileSync(path, 'utf8')).map((found) => ({ ...found, file, owner }))
  })
}

/** The holm packages that a package's source may import. */
function allowedFor(id: string): (specifier: string) => boolean {
  const self = `@holm/${id}`
  if (plugins.test(id) || ['testkit', 'trace'].includes(id)) return (name) => contractOnly.includes(name)
  if (id === 'core') return () => false
  // A client from outside knows nothing of holm but the table of methods, which is its own.
  if (id === 'sdk') return () => false
  if (features.has(id))
    return (name) =>
      [...contractOnly, '@holm/core/host', ...(id === 'serve' ? remote : [])].includes(name) && name !== self
  return (name) => !plugins.test(name.replace('@holm/', '')) && name !== self
}

function describeImport({ file, specifier }: SourceImport): string {
  return `${file} imports ${specifier}`
}

function violations(predicate: (found: SourceImport) => boolean): string[] {
  return imports.filter((found) => predicate(found)).map((found) => describeImport(found))
}

function packageNameOf(specifier: string): string {
  const [first = '', second = ''] = specifier.split('/')
  return first.startsWith('@') ? `${first}/${second}` : first
}

describe('the arrows between packages', () => {
  it('finds source to look at', () => {
    expect(packages.map(({ id }) => id)).toContain('core')
    expect(imports.length).toBeGreaterThan(10)
  })

  it('point the way the design says', () => {
    const wrong = violations(
      ({ specifier, owner }) => specifier.startsWith('@holm/') && !allowedFor(owner.id)(specifier),
    )
    expect(wrong).toEqual([])
  })

  it('never leave a package by a relative path', () => {
    const wrong = violations(({ specifier, file }) => {
      if (!specifier.startsWith('.')) return false
      return !join(file, '..', specifier)
        .split(sep)
        .join('/')
        .startsWith(`${file.split('/')[0]}/src/`)
    })
    expect(wrong).toEqual([])
  })

  it('keep each library in its place', () => {
    const wrong = ownedLibraries.flatMap(({ library, owner }) =>
      violations(({ specifier, file }) => library.test(specifier) && !owner.test(file)),
    )
    expect(wrong).toEqual([])
    const config = imports.filter(({ specifier }) => specifier === 'cosmiconfig').map(({ file }) => file)
    expect(new Set(config).size).toBeLessThanOrEqual(1)
  })
})

describe('the contract entry', () => {
  it('imports no third-party module and no host at run time', () => {
    const isContract = /^core\/src\/[^/]+\.ts$/
    const wrong = violations(({ file, specifier, typeOnly }) => {
      if (!isContract.test(file) || typeOnly) return false
      return specifier.startsWith('.') ? specifier.includes('/host/') : !isBuiltin(specifier)
    })
    expect(wrong).toEqual([])
  })
})

describe('package.json files', () => {
  it('declare every package that the source imports at run time', () => {
    const wrong = violations(({ specifier, owner, typeOnly }) => {
      if (typeOnly || specifier.startsWith('.') || isBuiltin(specifier)) return false
      // tsup bundles what is only a devDependency; what nobody declares, pnpm would not even resolve.
      const { dependencies, devDependencies, optionalDependencies, peerDependencies } = owner.manifest
      const declared = { ...dependencies, ...devDependencies, ...optionalDependencies, ...peerDependencies }
      return !(packageNameOf(specifier) in declared) && packageNameOf(specifier) !== owner.manifest.name
    })
    expect(wrong).toEqual([])
  })

  it('let a plugin depend on the contract as a peer, and on no other package of holm', () => {
    for (const { id, manifest } of packages.filter((found) => plugins.test(found.id))) {
      const runtime = {
        ...manifest.dependencies,
        ...manifest.optionalDependencies,
        ...manifest.peerDependencies,
      }
      const ours = Object.keys(runtime).filter((name) => name.startsWith('@holm/'))
      expect(ours, id).toEqual(contractOnly)
      expect(manifest.peerDependencies, id).toHaveProperty('@holm/core')
    }
  })

  it('give every plugin a manifest that names its kind and id', () => {
    for (const { id, manifest } of packages.filter((found) => plugins.test(found.id))) {
      const [kind, ...rest] = id.split('-')
      expect(manifest.holm, id).toMatchObject({
        kind,
        id: rest.join('-'),
        contract: 1,
        entry: './dist/index.js',
      })
    }
  })
})
