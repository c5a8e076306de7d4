import { compareVersions, parseVersion, satisfies } from './version.ts'
import type { Machine } from '../machine.ts'
import type { ToolName } from './version.ts'

/** An archive of a tool's makers with the checksum they publish. */
export interface ToolArchive {
  readonly version: string
  readonly url: string
  readonly sha256: string
  /** Commands to link into /usr/local/bin, relative to the unpacked archive. */
  readonly binaries: readonly string[]
}

export type Platform = Pick<Machine, 'architecture' | 'libc'>

/** Reads text from a URL; the caller supplies it, so that everything here stays pure. */
export type ReadText = (url: string) => Promise<string>

/** Base addresses, replaceable by a mirror with the same layout (configuration `mirrors`). */
export const upstreamSources: Readonly<Record<ToolName, string>> = {
  node: 'https://nodejs.org/dist',
  go: 'https://go.dev/dl',
  java: 'https://api.adoptium.net/v3',
  python: 'https://raw.githubusercontent.com/astral-sh/python-build-standalone/latest-release',
  rust: 'https://static.rust-lang.org/dist',
}

const newest = (versions: readonly string[]): string | undefined => versions.toSorted(compareVersions).at(-1)

const goArchitectures: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' }
const nodeArchitectures: Readonly<Record<string, string>> = { x86_64: 'x64', aarch64: 'arm64' }
const javaArchitectures: Readonly<Record<string, string>> = { x86_64: 'x64', aarch64: 'aarch64' }

/** Line of a SHA256SUMS file that names the file. */
export function parseChecksum(sums: string, file: string): string | undefined {
  const line = sums.split('\n').find((line) => line.trim().split(/\s+\*?/)[1] === file)
  return /^[0-9a-f]{64}/i.exec(line?.trim() ?? '')?.[0].toLowerCase()
}

/** nodejs.org/dist/index.json: the newest release that fits; "lts" asks the list, not the parity. */
export function parseNodeIndex(text: string, wanted: string): string | undefined {
  const releases = JSON.parse(text) as readonly { readonly version: string; readonly lts: string | false }[]
  const fits = releases.filter(({ version, lts }) =>
    wanted === 'lts' ? lts !== false : satisfies('node', version, wanted),
  )
  return newest(fits.map(({ version }) => version))
}

async function findNode(
  wanted: string,
  platform: Platform,
  { base, read }: Source,
): Promise<ToolArchive | undefined> {
  const arch = nodeArchitectures[platform.architecture]
  const version = parseNodeIndex(await read(`${base}/index.json`), wanted)
  // nodejs.org builds against glibc only.
  if (!arch || !version || platform.libc === 'musl') return undefined
  const file = `node-${version}-linux-${arch}.tar.gz`
  const sha256 = parseChecksum(await read(`${base}/${version}/SHASUMS256.txt`), file)
  if (sha256 === undefined) return undefined
  return { version, url: `${base}/${version}/${file}`, sha256, binaries: ['bin/node', 'bin/npm', 'bin/npx'] }
}

interface GoRelease {
  readonly version: string
  readonly stable: boolean
  readonly files: readonly {
    readonly filename: string
    readonly os: string
    readonly arch: string
    readonly kind: string
    readonly sha256: string
  }[]
}

/** go.dev/dl/?mode=json&include=all: the newest stable release that fits, with its archive for the architecture. */
export function parseGoIndex(
  text: string,
  wanted: string,
  arch: string,
): Omit<ToolArchive, 'binaries'> | undefined {
  const releases = (JSON.parse(text) as readonly GoRelease[]).filter(
    ({ version, stable }) => stable && satisfies('go', version, wanted),
  )
  const version = newest(releases.map((release) => release.version))
  const file = releases
    .find((release) => release.version === version)
    ?.files.find((file) => file.os === 'linux' && file.arch === arch && file.kind === 'archive')
  return version && file ? { version, url: file.filename, sha256: file.sha256 } : undefined
}

async function findGo(
  wanted: string,
  platform: Platform,
  { base, read }: Source,
): Promise<ToolArchive | undefined> {
  const arch = goArchitectures[platform.architecture]
  const found = arch && parseGoIndex(await read(`${base}/?mode=json&include=all`), wanted, arch)
  return found ? { ...found, url: `${base}/${found.url}`, binaries: ['bin/go', 'bin/gofmt'] } : undefined
}

/** Adoptium's /assets/latest answer: the archive's address and checksum. */
export function parseTemurin(text: string): Omit<ToolArchive, 'binaries'> | undefined {
  const [asset] = JSON.parse(text) as readonly {
    readonly binary: { readonly package: { readonly link: string; readonly checksum: string } }
    readonly version: { readonly semver: string }
  }[]
  if (!asset) return undefined
  return {
    version: asset.version.semver,
    url: asset.binary.package.link,
    sha256: asset.binary.package.checksum,
  }
}

async function findJava(
  wanted: string,
  platform: Platform,
  { base, read }: Source,
): Promise<ToolArchive | undefined> {
  const arch = javaArchitectures[platform.architecture]
  if (!arch) return undefined
  const major = parseVersion(wanted)?.[0] ?? (await newestJava(wanted, { base, read }))
  const os = platform.libc === 'musl' ? 'alpine-linux' : 'linux'
  const query = `architecture=${arch}&image_type=jdk&os=${os}`
  const found = parseTemurin(await read(`${base}/assets/latest/${major}/hotspot?${query}`))
  if (!found || !satisfies('java', found.version, wanted)) return undefined
  return { ...found, binaries: ['bin/java', 'bin/javac', 'bin/jar'] }
}

async function newestJava(wanted: string, { base, read }: Source): Promise<number> {
  const releases = JSON.parse(await read(`${base}/info/available_releases`)) as {
    readonly most_recent_lts: number
    readonly most_recent_feature_release: number
  }
  return wanted === 'lts' ? releases.most_recent_lts : releases.most_recent_feature_release
}

/** The newest "install_only" archive in the SHA256SUMS of a python-build-standalone release. */
export function parsePythonSums(
  sums: string,
  wanted: string,
  target: string,
): { file: string; version: string } | undefined {
  const files = sums.split('\n').flatMap((line) => {
    const file = line.trim().split(/\s+\*?/)[1] ?? ''
    const version = /^cpython-(\d+\.\d+\.\d+)\+\d+-/.exec(file)?.[1]
    const fits = version !== undefined && file.endsWith(`-${target}-install_only.tar.gz`)
    return fits && satisfies('python', version, wanted) ? [{ file, version }] : []
  })
  return files.toSorted((a, b) => compareVersions(a.version, b.version)).at(-1)
}

async function findPython(
  wanted: string,
  platform: Platform,
  { base, read }: Source,
): Promise<ToolArchive | undefined> {
  const latest = JSON.parse(await read(`${base}/latest-release.json`)) as {
    readonly asset_url_prefix: string
  }
  const sums = await read(`${latest.asset_url_prefix}/SHA256SUMS`)
  const found = parsePythonSums(sums, wanted, `${platform.architecture}-unknown-linux-${platform.libc}`)
  const sha256 = found && parseChecksum(sums, found.file)
  if (!found || sha256 === undefined) return undefined
  const binaries = ['bin/python3', 'bin/python', 'bin/pip3', 'bin/pip']
  return { version: found.version, url: `${latest.asset_url_prefix}/${found.file}`, sha256, binaries }
}

/** The `[pkg.rust]` part of a channel manifest: version, and the archive of the target. */
export function parseRustChannel(text: string, target: string): Omit<ToolArchive, 'binaries'> | undefined {
  const version = /^\[pkg\.rust\]\s*\nversion = "([^" ]+)/m.exec(text)?.[1]
  const section = text.split(`[pkg.rust.target.${target}]`)[1]?.split(/^\[/m)[0] ?? ''
  const url = /^url = "([^"]+)"/m.exec(section)?.[1]
  const sha256 = /^hash = "([0-9a-f]{64})"/m.exec(section)?.[1]
  return version && url && sha256 ? { version, url, sha256 } : undefined
}

async function findRust(
  wanted: string,
  platform: Platform,
  { base, read }: Source,
): Promise<ToolArchive | undefined> {
  const channel = /^v?\d/.test(wanted) ? wanted.replace(/^v/, '') : 'stable'
  const target = `${platform.architecture}-unknown-linux-${platform.libc}`
  const found = parseRustChannel(await read(`${base}/channel-rust-${channel}.toml`), target)
  if (!found) return undefined
  const url = found.url.replace(upstreamSources.rust, base)
  return { ...found, url, binaries: [] }
}

interface Source {
  readonly base: string
  readonly read: ReadText
}

const finders = { node: findNode, go: findGo, java: findJava, python: findPython, rust: findRust }

/** The archive that gives the wanted version on the platform, or undefined when its makers publish none. */
export function findToolArchive(
  request: { readonly tool: ToolName; readonly wanted: string; readonly platform: Platform },
  source: Source,
): Promise<ToolArchive | undefined> {
  return finders[request.tool](request.wanted, request.platform, source)
}
