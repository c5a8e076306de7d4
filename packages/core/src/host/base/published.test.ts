import { describe, expect, it } from 'vitest'
import { catalogue } from './catalogue.ts'
import { selectPublished } from './published.ts'
import type { PublishedSource } from './catalogue.ts'
import { findCatalogueEntry, synonyms } from './reference.ts'

const a = 'a'.repeat(64)
const b = 'b'.repeat(64)

const alpineList = `---
-
  title: "Mini root filesystem"
  flavor: alpine-minirootfs
  file: alpine-minirootfs-3.22.1-x86_64.tar.gz
  sha256: ${a}
  sha512: ${b}${b}
-
  flavor: alpine-virt
  file: alpine-virt-3.22.1-x86_64.iso
  sha256: ${b}
`

const ubuntuList = `${a} *ubuntu-base-24.04.9-base-amd64.tar.gz
${b} *ubuntu-base-24.04.10-base-amd64.tar.gz
${a} *ubuntu-base-24.04.10-base-arm64.tar.gz
`

function rootfsOf(name: string): PublishedSource {
  const source = findCatalogueEntry(name)?.rootfs
  if (!source) throw new Error(`${name} has no published root filesystem`)
  return source
}

describe('selectPublished', () => {
  it("reads Alpine's list and finds the archive beside it", () => {
    const source = rootfsOf('alpine-3.22')
    expect(selectPublished(source, alpineList, 'x64')).toEqual({
      url: 'https://dl-cdn.alpinelinux.org/alpine/v3.22/releases/x86_64/alpine-minirootfs-3.22.1-x86_64.tar.gz',
      sum: a,
    })
  })

  it('takes the newest point release of the architecture', () => {
    const source = rootfsOf('ubuntu-24.04')
    expect(selectPublished(source, ubuntuList, 'x64')?.url).toMatch(
      /\/ubuntu-base-24\.04\.10-base-amd64\.tar\.gz$/,
    )
    expect(selectPublished(source, ubuntuList, 'x64')?.sum).toBe(b)
    expect(selectPublished(source, ubuntuList, 's390x')).toBeUndefined()
    expect(selectPublished(source, 'nothing here', 'x64')).toBeUndefined()
  })
})

describe('disks', () => {
  it('are found in a list of SHA-512 sums, by the name of this architecture', () => {
    const source = findCatalogueEntry('debian-12')?.disk
    const list = `${a}${a}  debian-12-generic-amd64.qcow2
${a}${b}  debian-12-genericcloud-amd64.qcow2
${b}${b}  debian-12-genericcloud-arm64.qcow2
${b}${a}  debian-12-genericcloud-amd64.raw
`
    expect(source && selectPublished(source, list, 'x64')).toEqual({
      url: 'https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-amd64.qcow2',
      sum: `${a}${b}`,
    })
    expect(source && selectPublished(source, list, 'arm64')?.sum).toBe(`${b}${b}`)
  })

  it('are known for Ubuntu by its release', () => {
    const source = findCatalogueEntry('ubuntu-24.04')?.disk
    const list = `${a} *ubuntu-24.04-server-cloudimg-amd64.img\n${b} *ubuntu-24.04-server-cloudimg-amd64.squashfs\n`
    expect(source && selectPublished(source, list, 'x64')).toEqual({
      url: 'https://cloud-images.ubuntu.com/releases/24.04/release/ubuntu-24.04-server-cloudimg-amd64.img',
      sum: a,
    })
  })
})

describe('the catalogue', () => {
  it('has every name and alias once', () => {
    const names = catalogue.flatMap((entry) => [entry.name, ...entry.aliases])
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  })

  it('finds an entry by its own image, and pins no digest of its own', () => {
    for (const entry of catalogue) {
      expect(findCatalogueEntry(entry.image)?.name).toBe(entry.name)
      expect(entry.image).not.toContain('@')
    }
  })

  it('knows the long form of a reference', () => {
    expect(synonyms('docker.io/library/alpine')).toContain('alpine-3.22')
    expect(synonyms('python:3.12')).toEqual(['python:3.12'])
  })
})
