/** How to build the base from the distribution's own packages. */
export interface BaseRecipe {
  readonly distribution: 'debian' | 'ubuntu'
  readonly suite: string
  readonly components: readonly string[]
}

/** Where the distribution publishes a root filesystem or disk, and the list that holds its checksum. `{arch}` is replaced. */
export interface PublishedSource {
  readonly format: 'alpine-releases' | 'sums'
  /** Address of the list; the file lies next to it. */
  readonly list: string
  /** The file's name in the list, as a regular expression. */
  readonly file: string
  /** This machine's architecture (`process.arch`) to the distribution's word for it. */
  readonly architectures: Readonly<Record<string, string>>
}

export interface CatalogueEntry {
  readonly name: string
  readonly description: string
  /** Other names and the image references that mean the same system. */
  readonly aliases: readonly string[]
  /** Image for OCI runtimes. Its digest is recorded at first use, on this machine; none is invented here. */
  readonly image: string
  readonly rootfs?: PublishedSource
  /** The disk of a machine with cloud-init, for `holm base import --disk`. */
  readonly disk?: PublishedSource
  readonly recipe?: BaseRecipe
}

function debian(version: string, suite: string, extra: readonly string[] = []): CatalogueEntry {
  const tags = [version, `${version}-slim`, suite, `${suite}-slim`]
  return {
    name: `debian-${version}`,
    description: `Debian ${version} "${suite}"`,
    aliases: [`debian-${suite}`, ...tags.map((tag) => `debian:${tag}`), ...extra],
    image: `debian:${version}`,
    disk: {
      format: 'sums',
      list: `https://cloud.debian.org/images/cloud/${suite}/latest/SHA512SUMS`,
      file: `debian-${version}-genericcloud-{arch}\\.qcow2`,
      architectures: { x64: 'amd64', arm64: 'arm64' },
    },
    recipe: { distribution: 'debian', suite, components: ['main'] },
  }
}

function ubuntu(version: string, suite: string, extra: readonly string[] = []): CatalogueEntry {
  return {
    name: `ubuntu-${version}`,
    description: `Ubuntu ${version} LTS "${suite}"`,
    aliases: [`ubuntu-${suite}`, `ubuntu:${version}`, `ubuntu:${suite}`, ...extra],
    image: `ubuntu:${version}`,
    rootfs: {
      format: 'sums',
      list: `https://cdimage.ubuntu.com/ubuntu-base/releases/${version}/release/SHA256SUMS`,
      file: `ubuntu-base-${version}(\\.\\d+)?-base-{arch}\\.tar\\.gz`,
      architectures: { x64: 'amd64', arm64: 'arm64' },
    },
    disk: {
      format: 'sums',
      list: `https://cloud-images.ubuntu.com/releases/${version}/release/SHA256SUMS`,
      file: `ubuntu-${version}-server-cloudimg-{arch}\\.img`,
      architectures: { x64: 'amd64', arm64: 'arm64' },
    },
    recipe: { distribution: 'ubuntu', suite, components: ['main', 'universe'] },
  }
}

function alpine(version: string, extra: readonly string[] = []): CatalogueEntry {
  return {
    name: `alpine-${version}`,
    description: `Alpine Linux ${version}`,
    aliases: [`alpine:${version}`, ...extra],
    image: `alpine:${version}`,
    rootfs: {
      format: 'alpine-releases',
      list: `https://dl-cdn.alpinelinux.org/alpine/v${version}/releases/{arch}/latest-releases.yaml`,
      file: 'alpine-minirootfs-[\\d.]+-{arch}\\.tar\\.gz',
      architectures: { x64: 'x86_64', arm64: 'aarch64' },
    },
  }
}

const alpineNewest = ['alpine', 'alpine:latest', 'alpine:3']
const debianNewest = ['debian', 'debian:latest', 'debian:stable', 'debian:stable-slim']

/** Every base that holm knows by name. docs/reference/bases.md is generated from it. */
export const catalogue: readonly CatalogueEntry[] = [
  debian('12', 'bookworm'),
  debian('13', 'trixie', debianNewest),
  ubuntu('22.04', 'jammy'),
  ubuntu('24.04', 'noble', ['ubuntu', 'ubuntu:latest']),
  alpine('3.19'),
  alpine('3.20'),
  alpine('3.21'),
  alpine('3.22', alpineNewest),
  {
    name: 'fedora',
    description: 'Fedora Linux, newest release',
    aliases: ['fedora:latest'],
    image: 'fedora:latest',
  },
  {
    name: 'rocky-9',
    description: 'Rocky Linux 9',
    aliases: ['rocky', 'rockylinux:9', 'rockylinux/rockylinux:9'],
    image: 'rockylinux/rockylinux:9',
  },
  {
    name: 'opensuse',
    description: 'openSUSE Leap 15.6',
    aliases: ['opensuse-leap', 'opensuse/leap', 'opensuse/leap:latest', 'opensuse/leap:15.6'],
    image: 'opensuse/leap:15.6',
  },
  {
    name: 'arch',
    description: 'Arch Linux, rolling',
    aliases: ['archlinux', 'archlinux:latest', 'archlinux:base'],
    image: 'archlinux:latest',
  },
]
