import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { HolmError } from '@holm/core'
import type { EnvironmentSpec, Mount, ProviderContext } from '@holm/core'
import { drivePathInside, type Place } from './paths.ts'
import type { Layout, WslRecord } from './record.ts'
import { shareScript, unshareScript } from './scripts.ts'
import type { Session } from './session.ts'
import { callShell, runShell } from './wsl.ts'

/** Where every distribution sees the tmpfs that all share. */
const sharedInside = '/mnt/wsl'

/** A folder of a distribution that another is to see. */
interface Share {
  readonly distribution: string
  readonly path: string
  readonly name: string
}

export interface MountPlan {
  /** Words of mountsPart: how many, then kind, source, target and options of each. */
  readonly words: readonly string[]
  readonly shares: readonly Share[]
  /** Folders of this side that must exist. */
  readonly folders: readonly string[]
}

export interface PlanInput {
  readonly record: Pick<WslRecord, 'name' | 'mounts' | 'conf'>
  readonly layout: Layout
  readonly namespace: string
  parsePath(file: string): Place | undefined
}

/**
 * How each mount is made. A drive's folder is there already, below the automount root, and is bound to its target; a
 * folder of a distribution is shown through the tmpfs that all share. Pure.
 */
export function planMounts(input: PlanInput): MountPlan {
  const shares: Share[] = []
  const folders: string[] = []
  const words = input.record.mounts.flatMap((mount, index) => {
    if (mount.type === 'tmpfs')
      return [
        'tmpfs',
        'tmpfs',
        mount.target,
        mount.sizeBytes === undefined ? 'mode=1777' : `mode=1777,size=${mount.sizeBytes}`,
      ]
    const source = mount.type === 'bind' ? mount.source : volumeFolder(mount.source, index, input)
    if (mount.type === 'volume') folders.push(source)
    const place = input.parsePath(source)
    if (place === undefined) throw unseen(source)
    const options = mount.readonly ? 'ro' : 'rw'
    if (place.kind === 'drive')
      return ['bind', drivePathInside(place.windows, automountRootOf(input.record)), mount.target, options]
    shares.push({ distribution: place.distribution, path: place.path, name: String(index) })
    return ['bind', `${shareFolder(sharedInside, input)}/${index}`, mount.target, options]
  })
  return { words: [String(words.length / 4), ...words], shares, folders }
}

function automountRootOf({ conf }: Pick<WslRecord, 'conf'>): string {
  return String(conf['automount']?.['root'] ?? '/mnt/')
}

function shareFolder(shared: string, { namespace, record }: Pick<PlanInput, 'namespace' | 'record'>): string {
  return `${shared}/holm/${namespace}/${record.name}`
}

const volumePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/

/** An anonymous volume belongs to the environment's folder and goes with it. HOLM_NAME_INVALID for a name that could lead elsewhere. */
export function volumeFolder(
  name: string | undefined,
  index: number,
  { layout, record }: Pick<PlanInput, 'layout'> & { readonly record: { readonly name: string } },
): string {
  if (name === undefined) return path.join(layout.environments, record.name, 'volumes', String(index))
  if (volumePattern.test(name)) return path.join(layout.volumes, name)
  throw new HolmError('HOLM_NAME_INVALID', `"${name}" is no name of a volume`, {
    hint: 'Use letters, digits, dots, underscores and hyphens.',
  })
}

/** Sources on drives of Windows: a distribution without automount does not see them. */
export function listDriveSources(mounts: readonly Mount[], parsePath: PlanInput['parsePath']): string[] {
  return mounts.flatMap((mount) => {
    if (mount.type === 'tmpfs') return []
    if (mount.type === 'volume') return [mount.source ?? mount.target]
    return parsePath(mount.source)?.kind === 'drive' ? [mount.source] : []
  })
}

/** HOLM_BLUEPRINT_UNSUPPORTED for targets that WSL or holm make themselves. */
export function assertTargets(spec: Pick<EnvironmentSpec, 'mounts'>): void {
  for (const { target } of spec.mounts) {
    const plain = path.posix.normalize(target).replace(/(.)\/$/, '$1')
    const taken = /^\/(?:(?:proc|sys|dev|mnt\/wsl|run\/holm)(?:\/|$)|(?:run|etc|usr|bin|lib|mnt)?$)/.test(
      plain,
    )
    if (target.startsWith('/') && !target.includes('\0') && !taken) continue
    throw new HolmError('HOLM_BLUEPRINT_UNSUPPORTED', `nothing can be mounted at "${target}" in WSL`, {
      hint: 'Name an absolute path that the distribution does not need itself.',
    })
  }
}

function unseen(source: string): HolmError {
  return new HolmError(
    'HOLM_BLUEPRINT_UNSUPPORTED',
    `"${source}" cannot be mounted: WSL sees drives and distributions, nothing else`,
    {
      hint: 'Name a folder of a drive (C:\\…), or of a distribution (\\\\wsl.localhost\\…).',
      details: { source },
    },
  )
}

/** Makes the folders and the shares of a plan. */
export async function prepareMounts(
  session: Session,
  { record, plan }: { readonly record: WslRecord; readonly plan: MountPlan },
  ctx: ProviderContext,
): Promise<void> {
  for (const folder of plan.folders) await mkdir(folder, { recursive: true })
  const { machine, options } = session
  for (const share of plan.shares) {
    const shared = share.distribution === machine.distribution ? machine.shared : sharedInside
    const target = `${shareFolder(shared, { namespace: options.namespace, record })}/${share.name}`
    const doing = `show ${share.path} of ${share.distribution} to environment ${record.name}`
    const { distribution, path: source } = share
    await callShell(machine, { distribution, script: shareScript, words: [source, target], doing }, ctx)
  }
}

/** Takes back the shares; distributions that are gone have none. */
export async function releaseMounts(
  session: Session,
  record: WslRecord,
  ctx: ProviderContext,
): Promise<void> {
  const { machine, options } = session
  const from = new Set(
    record.mounts.flatMap((mount) => {
      const place = mount.type === 'bind' ? machine.parsePath(mount.source) : undefined
      return place?.kind === 'distribution' ? [place.distribution] : []
    }),
  )
  for (const distribution of from) {
    const shared = distribution === machine.distribution ? machine.shared : sharedInside
    const words = [shareFolder(shared, { namespace: options.namespace, record })]
    const result = await runShell(
      machine,
      { distribution, script: unshareScript, words, doing: 'take a folder back' },
      ctx,
    )
    if (result.code !== 0)
      ctx.log.warn(`${record.name}: a folder is still shown in ${words[0] ?? ''} of ${distribution}`)
  }
}
