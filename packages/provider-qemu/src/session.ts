import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { ProviderContext } from '@holm/core'
import { findAccelerator, type Verdict } from './accelerator.ts'
import type { AgentAddress } from './agent.ts'
import type { Architecture } from './argv.ts'
import { notFound } from './lock.ts'
import { folderOf, loadRecord, resolveLayout, type Layout, type Machine, type QemuRecord } from './record.ts'
import { isRunning } from './state.ts'
import { loadVersion } from './version.ts'

export interface QemuProviderOptions {
  /** Folder for records, disks and volumes, and one for kernels and what is fetched. */
  readonly paths: { readonly data: string; readonly cache: string }
  readonly namespace: string
  /** Environment of holm: PATH to the tools, nothing of it is passed on. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid: number
  readonly platform: NodeJS.Platform
  /** As Node names it. */
  readonly arch: string
}

/** What the methods of one provider share. */
export interface Session {
  readonly options: QemuProviderOptions
  readonly layout: Layout
  readonly architecture: Architecture
  /** Variables of the tools of this machine. */
  readonly toolEnv: Readonly<Record<string, string>>
  /** Images of bases, shared by all namespaces. */
  readonly images: string
  folder(name: string): string
  /** HOLM_ENVIRONMENT_NOT_FOUND unless there is one. */
  require(name: string): Promise<QemuRecord>
  /** HOLM_ENVIRONMENT_NOT_RUNNING unless programs can be started in it. */
  requireRunning(name: string): Promise<QemuRecord & { readonly machine: Machine }>
  /** What runs a processor of that architecture (this machine's, unless another is named). */
  accelerator(ctx: ProviderContext, architecture?: Architecture): Promise<Verdict>
  /** Of the QEMU for that architecture. */
  version(ctx: ProviderContext, architecture?: Architecture): Promise<string>
}

export function createSession(options: QemuProviderOptions): Session {
  const layout = resolveLayout(options.paths.data, options.namespace)
  const toolEnv = {
    PATH: `${options.env['PATH'] ?? ''}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    LC_ALL: 'C.UTF-8',
  }
  const architecture: Architecture = options.arch === 'arm64' ? 'aarch64' : 'x86_64'
  const folder = (name: string): string => folderOf(layout, name)
  const require = async (name: string): Promise<QemuRecord> => {
    const record = await loadRecord(folder(name))
    if (record === undefined) throw notFound(name)
    return record
  }
  let verdict: Promise<Verdict> | undefined
  const versions = new Map<Architecture, Promise<string>>()
  const version = (ctx: ProviderContext, wanted = architecture): Promise<string> => {
    const found = versions.get(wanted) ?? loadVersion(wanted, toolEnv, ctx)
    versions.set(wanted, found)
    found.catch(() => versions.delete(wanted))
    return found
  }
  return {
    options,
    layout,
    architecture,
    toolEnv,
    images: path.join(options.paths.data, '.bases'),
    folder,
    require,
    requireRunning: async (name) => {
      const record = await require(name)
      if (isRunning(record) && record.machine.paused === undefined) return record
      throw notRunning(record)
    },
    version,
    // Asked once in this process: what a machine allows does not change under it.
    accelerator: async (ctx, wanted = architecture) => {
      if (wanted !== architecture) return { accelerator: 'tcg', reason: foreign(wanted) }
      verdict ??= version(ctx).then((word) =>
        findAccelerator({ architecture, version: word, folder: options.paths.data, env: toolEnv }, ctx),
      )
      verdict.catch(() => (verdict = undefined))
      return verdict
    },
  }
}

function foreign(architecture: Architecture): string {
  return `This machine has no processor of the kind ${architecture}.`
}

/** Of the machine that an environment is. */
export function architectureOf(
  session: Pick<Session, 'architecture'>,
  { options }: Pick<QemuRecord, 'options'>,
): Architecture {
  return options.arch ?? session.architecture
}

export function notRunning(record: QemuRecord): HolmError {
  const paused = isRunning(record) && record.machine.paused === true
  return new HolmError(
    'HOLM_ENVIRONMENT_NOT_RUNNING',
    `environment ${record.name} is ${paused ? 'paused' : 'not running'}`,
    { hint: paused ? `Run \`holm resume ${record.name}\`.` : `Run \`holm start ${record.name}\`.` },
  )
}

export function agentOf({ token, machine }: QemuRecord & { readonly machine: Machine }): AgentAddress {
  return { port: machine.control, token }
}

export function newToken(): string {
  return randomBytes(32).toString('hex')
}
