import { readFileSync } from 'node:fs'

/** Text of a file of this package; `..` is its root from src as well as from dist. */
export function readPackageFile(path: string): string {
  return readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
}

interface Manifest {
  readonly version: string
  readonly holm: { readonly bundled: readonly string[] }
}

export function readManifest(): Manifest {
  return JSON.parse(readPackageFile('package.json')) as Manifest
}
