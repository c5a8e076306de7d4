import { basename } from 'node:path'
import { HolmError } from '../../errors.ts'
import { catalogue } from './catalogue.ts'
import type { CatalogueEntry } from './catalogue.ts'

const archive = /\.(?:tar(?:\.(?:gz|xz|zst|bz2))?|tgz|txz)$/

const disk = /\.(?:qcow2|img|raw)$/

/** The path of a machine's disk, by its ending. */
export function isDiskPath(text: string): boolean {
  return disk.test(text)
}

/** A tarball, disk or folder rather than a name: it begins like a path or ends like an archive. */
export function isPathLike(text: string): boolean {
  return (
    /^(?:\.{0,2}[/\\]|~\/|[A-Za-z]:[/\\])/.test(text) ||
    text === '.' ||
    text === '..' ||
    archive.test(text) ||
    isDiskPath(text)
  )
}

/** Has what only an image reference has: a tag, a digest or a repository. */
export function isImageLike(text: string): boolean {
  return !isPathLike(text) && /[:/@]/.test(text)
}

/** The short form of a reference: Docker Hub and its `library` are what a bare name means. */
export function familiarReference(reference: string): string {
  return reference.replace(/^(?:index\.)?docker\.io\//, '').replace(/^library\//, '')
}

/** The catalogue's entry of that name or alias. A reference with a digest means that image and no other. */
export function findCatalogueEntry(name: string): CatalogueEntry | undefined {
  const wanted = familiarReference(name)
  return catalogue.find((entry) => entry.name === wanted || entry.aliases.includes(wanted))
}

/** Every name that means the same base, the given one first. */
export function synonyms(name: string): readonly string[] {
  const entry = findCatalogueEntry(name)
  return [...new Set([familiarReference(name), ...(entry ? [entry.name, ...entry.aliases] : [])])]
}

/** HOLM_NAME_INVALID for what cannot name a base. An image reference may, so that images can stand for local files. */
export function assertBaseName(name: string): void {
  if (/^[a-z0-9][a-z0-9._:/-]{0,126}$/.test(name) && name !== 'host') return
  throw new HolmError('HOLM_NAME_INVALID', `"${name}" cannot name a base`, {
    hint: 'Use lower-case letters, digits and . _ - (or an image reference such as python:3.12), at most 127 characters.',
    details: { name },
  })
}

/** "rootfs.tar.gz" of a path is named "rootfs", "debian.qcow2" is named "debian". */
export function nameOfPath(path: string): string {
  return basename(path).replace(archive, '').replace(disk, '') || 'rootfs'
}
