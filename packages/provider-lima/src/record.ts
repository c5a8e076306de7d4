import type { EnvironmentSpec, PortBinding, Resources } from '@holm/core'
import type { VmType } from './options.ts'

/**
 * What holm knows of an environment and Lima has no field for. Lima has no labels: the record is one comment at the head
 * of the instance's own `lima.yaml`, so that it is there from the moment the instance is, and gone with it.
 */
export interface LimaRecord {
  readonly version: 1
  readonly namespace: string
  readonly name: string
  readonly createdAt: string
  readonly labels: Readonly<Record<string, string>>
  readonly hostname: string
  readonly env: Readonly<Record<string, string>>
  readonly user?: string
  readonly resources: Resources
  readonly mounts: EnvironmentSpec['mounts']
  readonly ports: readonly RecordedPort[]
  readonly image: ImageSource
  readonly vmType: VmType
  readonly mountType?: string
  /** Snapshot as the user named it to the tag that Lima knows it by. */
  readonly snapshots: Readonly<Record<string, { readonly tag: string; readonly createdAt: string }>>
}

/** `picked`: nobody asked for this number, so another will do when it is taken. */
export type RecordedPort = PortBinding & { readonly picked: boolean }

export type ImageSource = DiskImage | TemplateImages

export interface DiskImage {
  /** A URL or an absolute path. */
  readonly location: string
  /** "sha256:…". */
  readonly digest?: string
  readonly arch?: string
}

/** What Lima itself offers under a name: one disk image for each kind of processor, pinned by digest. */
export interface TemplateImages {
  readonly template: string
  /** What the name stood for when the instance was made: an existing instance must not name a template. */
  readonly resolved?: {
    readonly images: readonly DiskImage[]
    readonly mountTypesUnsupported: readonly string[]
  }
}

const mark = '# holm-record: '

/** Base64: a comment ends at a line break, and tools that edit the file must not want to re-wrap it. */
export function formatRecord(record: LimaRecord): string {
  return `${mark}${Buffer.from(JSON.stringify(record)).toString('base64')}\n`
}

/** Undefined for an instance that is not holm's, or whose record somebody damaged. */
export function parseRecord(yaml: string): LimaRecord | undefined {
  const line = yaml.split('\n').find((each) => each.startsWith(mark))
  if (line === undefined) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(line.slice(mark.length), 'base64').toString('utf8'))
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is LimaRecord {
  if (typeof value !== 'object' || value === null) return false
  const { version, name, namespace, labels } = value as Partial<LimaRecord>
  return (
    version === 1 && typeof name === 'string' && typeof namespace === 'string' && typeof labels === 'object'
  )
}
