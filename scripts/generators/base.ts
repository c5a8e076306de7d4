import { catalogue } from '../../packages/core/src/host/base/catalogue.ts'
import type { CatalogueEntry } from '../../packages/core/src/host/base/catalogue.ts'
import type { Generator } from '../generate.ts'
import { formatTable, generatedFrom } from '../markdown.ts'

const code = (text: string): string => `\`${text}\``

function row(entry: CatalogueEntry): readonly string[] {
  const ways = [
    ...(entry.rootfs ? [code(`holm base import ${entry.name} ${entry.name}`)] : []),
    ...(entry.recipe ? [code(`holm base build ${entry.name}`)] : []),
    ...(entry.disk ? [code(`holm base import <name> ${entry.name} --disk`)] : []),
  ]
  return [
    code(entry.name),
    entry.description,
    code(entry.image),
    ways.length === 0 ? code(`holm base add ${entry.name} <rootfs.tar>`) : ways.join(', '),
    entry.aliases.map(code).join(' '),
  ]
}

const page = `${generatedFrom('packages/core/src/host/base/catalogue.ts')}

# Bases

A base is the root filesystem a blueprint starts from. \`base:\` takes a name of the table, the name of a base you
added, an image reference with its tag (\`python:3.12-slim\`), the path of a root filesystem (tarball or folder), the
path of a machine's disk (qcow2 or raw, for providers that run machines), or \`host\`:
this machine's own files, read-only, for providers that take them (sandbox).

${formatTable(['name', 'system', 'image', 'as files', 'also known as'], catalogue.map(row))}

## One local file for every runtime

A base that is on this machine as a tarball or folder wins over the image of the same name wherever the provider takes
files, and needs no network:

- \`holm base add debian-12 ./rootfs.tar\` registers a file where it lies; nothing is copied. The archive must hold a root
  folder: \`bin/sh\` or \`usr/bin/sh\` is looked for. An image saved by an engine is not one.
- \`holm base import alpine-3.22 alpine-3.22\` downloads what the distribution publishes, with the checksum it publishes.
  \`holm base import mine https://…\` takes any address; give \`--sha256\` where you know it (plain http demands it). A download that
  was cut off goes on where it ended.
- \`base: download:debian/bookworm\` (or \`download:<distribution>/<release>/<architecture>/<variant>\`) is the root filesystem that LXC's download
  template would take: the newest build of the image server that \`base.imageServer\` of the configuration names, which may be one of yours.
  \`holm up\` fetches it at first use and keeps it; \`holm base import mine download:debian/bookworm\` gives it a name, \`holm base remove\`
  forgets it. The SHA-256 that the server publishes is checked, and the server has to be encrypted (or this machine itself); signatures of
  its lists are not checked, so its certificate is what vouches for it. Its \`meta.tar.xz\` is not used: holm writes LXC's configuration.
- \`holm base import debian-cloud debian-12 --disk\` downloads the disk with cloud-init that the distribution publishes for machines, and
  \`holm base add work ./work.qcow2\` registers one of yours: providers of virtual machines start from it. A qcow2 file that has parts in
  other files is refused.
- \`holm base build debian-12 --include git --include curl\` makes one from the distribution's packages with mmdebstrap (or debootstrap as root).
  The packages come from \`--mirror\`, else \`base.mirror\` of the configuration, else where this machine gets its own when it is of the same
  distribution, else the tool's default.

Every alias means the same base: with \`debian-12\` added, a \`devcontainer.json\` that says \`"image": "debian:bookworm"\` works offline
and in the sandbox. Any image reference may be a name: \`holm base add python:3.12-slim ./python.tar\`. A reference
with a digest means that image and never anything else.

\`holm base remove\` forgets a local base. Files are deleted only from holm's own cache; an environment keeps what it was made from.

## Digests

holm ships no digests. The digest of a catalogue's image is recorded when this machine fetches it for the first time, and named from then
on, so that environments made later start from the same bytes. \`holm base list\` shows it; \`holm base remove <name>\` forgets it, and the
next fetch records the newer one. Other images are taken as the blueprint names them: write \`name@sha256:…\` to pin one.
The checksum of a local tarball is part of what an environment is made from: a changed file is a changed base.

## Tools

\`tools:\` of a blueprint installs node, python, go, rust or java in the wanted version ("20", "3.11", "1.22.4", "lts", "latest"), from the
first of these that has it: what the base already has, the distribution's packages, the makers' archive (nodejs.org, go.dev, Eclipse
Temurin, python-build-standalone, static.rust-lang.org) verified by the checksum its makers publish and fetched by holm itself, so that
the base needs no download program. The parsing of these lists is tested with samples written by hand and a local server, not against
the public addresses. On a base that is this machine (\`host\`) nothing is installed: what is missing is an error that names it.
`

const base: Generator = {
  name: 'base',
  generate: () => Promise.resolve({ 'docs/reference/bases.md': page }),
}

export default base
