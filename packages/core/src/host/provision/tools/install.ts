import { HolmError } from '../../../errors.ts'
import { commandFailed, createLineStream } from '../output.ts'
import { installPackages, notOnThisMachine, resolveMissing } from '../packages.ts'
import { resolveToolPackages } from './distribution.ts'
import { createReadText, downloadArchive } from './download.ts'
import { findToolArchive, upstreamSources } from './upstream.ts'
import { assertTool, satisfies } from './version.ts'
import type { PackageContext } from '../packages.ts'
import type { PackageManager } from '../managers.ts'
import type { Download } from './download.ts'
import type { ToolPackages } from './distribution.ts'
import type { ToolArchive } from './upstream.ts'
import type { ToolName } from './version.ts'

export interface ToolContext extends PackageContext {
  readonly manager: PackageManager | undefined
  readonly download: Download
  /** Base addresses by tool, in place of the makers' own. */
  readonly mirrors: Readonly<Partial<Record<ToolName, string>>>
}

interface Wanted {
  readonly tool: ToolName
  readonly version: string
}

interface InstallContext extends ToolContext {
  readonly readLists: () => Promise<void>
}

/** A tool is there when one can build with it: a runtime of Java that some package brought, or rustc without cargo, is not enough. */
export const versionScript = `
node --version 2>/dev/null | sed 's/^/node=/'
{ python --version || python3 --version; } 2>/dev/null | sed 's/^/python=/'
go version 2>/dev/null | sed 's/^go version go/go=/'
command -v cargo >/dev/null && rustc --version 2>/dev/null | sed 's/^/rust=/'
javac -version 2>&1 | sed -n 's/^javac \\([0-9].*\\)/java=\\1/p'
exit 0
`

/** Reads what the version script printed. Pure. */
export function parseToolVersions(stdout: string): Readonly<Partial<Record<ToolName, string>>> {
  const lines = stdout.split('\n').map((line) => line.trim().split('='))
  return Object.fromEntries(
    lines.filter(([name, value]) => name && value).map(([name, value]) => [name, value]),
  )
}

/** Installs the tools a spec asks for: already there, else from the distribution, else from their makers. */
export async function installTools(
  tools: Readonly<Record<string, string>>,
  context: ToolContext,
): Promise<void> {
  const wanted = Object.entries(tools).map(([tool, version]): Wanted => {
    assertTool(tool, version)
    return { tool, version }
  })
  if (wanted.length === 0) return
  const present = parseToolVersions((await context.asRoot({ argv: ['sh', '-c', versionScript] })).stdout)
  let lists: Promise<void> | undefined
  const readLists = (): Promise<void> => (lists ??= refreshLists(context))
  for (const request of wanted) {
    const found = present[request.tool]
    const step = `tool ${request.tool} ${request.version}`
    if (found !== undefined && satisfies(request.tool, found, request.version)) {
      context.reporter.skip(step, `${found} is there`)
    } else if (context.shared) {
      throw notOnThisMachine(`${request.tool} ${request.version}`)
    } else {
      await context.reporter.step(step, () => installTool(request, { ...context, readLists }))
    }
  }
}

/** Package lists for all tools together, where there are none yet. A failure shows in what is found. */
async function refreshLists({ machine, manager, asRoot }: ToolContext): Promise<void> {
  const argv = machine.hasLists ? undefined : manager?.refresh()
  if (argv && manager) await asRoot({ argv, env: manager.env })
}

async function installTool(request: Wanted, context: InstallContext): Promise<void> {
  const tried: string[] = []
  if (await installFromDistribution(request, context, tried)) return
  const archive = await findArchive(request, context, tried)
  if (archive) return installArchive(request.tool, archive, context)
  throw new HolmError(
    'HOLM_COMMAND_FAILED',
    `${request.tool} ${request.version} cannot be installed: ${tried.join('; ')}`,
    {
      hint: `Ask for another version under tools.${request.tool}, or use a base that already has it.`,
      details: { tool: request.tool, version: request.version, tried },
    },
  )
}

async function installFromDistribution(
  request: Wanted,
  context: InstallContext,
  tried: string[],
): Promise<boolean> {
  const { manager } = context
  if (!manager) {
    tried.push('no package manager inside')
    return false
  }
  await context.readLists()
  for (const candidate of resolveToolPackages(request.tool, request.version, manager.name)) {
    const result = await context.asRoot({ argv: manager.queryCandidate(candidate.main), env: manager.env })
    const version = manager.parseCandidate(result.stdout, candidate.main)
    if (version !== undefined && satisfies(request.tool, version, request.version)) {
      await installCandidate(candidate, manager, context)
      return true
    }
    tried.push(`${manager.program} has ${candidate.main} ${version ?? '(none)'}`)
  }
  return false
}

async function installCandidate(
  candidate: ToolPackages,
  manager: PackageManager,
  context: ToolContext,
): Promise<void> {
  const packages = await resolveMissing([candidate.main, ...candidate.also], manager, context.asRoot)
  // The lists were read a moment ago.
  const fresh = { ...context, machine: { ...context.machine, hasLists: true } }
  if (packages.length > 0) await installPackages(packages, manager, fresh)
  await linkCommands(Object.entries(candidate.links), context)
}

const linkScript =
  'mkdir -p /usr/local/bin; while [ $# -gt 1 ]; do ln -sf "$2" "/usr/local/bin/$1" || exit 1; shift 2; done'

async function linkCommands(
  links: readonly (readonly [string, string])[],
  { asRoot }: ToolContext,
): Promise<void> {
  if (links.length === 0) return
  const result = await asRoot({ argv: ['sh', '-c', linkScript, 'holm', ...links.flat()] })
  if (result.code !== 0) throw commandFailed('linking commands into /usr/local/bin', result)
}

async function findArchive(
  request: Wanted,
  context: ToolContext,
  tried: string[],
): Promise<ToolArchive | undefined> {
  const base = (context.mirrors[request.tool] ?? upstreamSources[request.tool]).replace(/\/$/, '')
  try {
    const query = { tool: request.tool, wanted: request.version, platform: context.machine }
    const archive = await findToolArchive(query, { base, read: createReadText(context.download) })
    if (!archive)
      tried.push(`${base} has none for ${context.machine.architecture} with ${context.machine.libc}`)
    return archive
  } catch (error) {
    context.signal?.throwIfAborted()
    tried.push(`${base} cannot be asked (${error instanceof Error ? error.message : String(error)})`)
    return undefined
  }
}

// rust's archive brings its own installer; everything else is unpacked as it is.
const unpackScript = `
set -e
folder=$1
rm -rf "$folder"
mkdir -p "$folder"
tar -xzf - -C "$folder" --strip-components=1
if [ -x "$folder/install.sh" ]; then
  "$folder/install.sh" --prefix=/usr/local --disable-ldconfig </dev/null
  rm -rf "$folder"
fi
`

async function installArchive(tool: ToolName, archive: ToolArchive, context: ToolContext): Promise<void> {
  const input = await downloadArchive(archive, context.download)
  const folder = `/opt/holm/${tool}-${archive.version.replace(/[^\w.+-]/g, '')}`
  const lines = createLineStream(context.reporter)
  const result = await context.asRoot({ argv: ['sh', '-c', unpackScript, 'holm', folder], input }, lines.push)
  lines.flush()
  if (result.code !== 0) throw commandFailed(`unpacking ${tool} ${archive.version}`, result)
  const links = archive.binaries.map((path) => [path.split('/').at(-1) ?? path, `${folder}/${path}`] as const)
  await linkCommands(links, context)
}
