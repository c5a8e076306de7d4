/** The messages of containerd's API that are used here, as the client gives and takes them: camel case, numbers, defaults filled in. */

export interface Any {
  readonly type_url: string
  readonly value: Uint8Array
}

export interface Timestamp {
  readonly seconds: number
  readonly nanos: number
}

export interface Container {
  readonly id: string
  readonly labels: Readonly<Record<string, string>>
  readonly image: string
  readonly runtime: { readonly name: string } | null
  readonly spec: Any | null
  readonly snapshotter: string
  readonly snapshotKey: string
  readonly createdAt: Timestamp | null
  readonly extensions: Readonly<Record<string, Any>>
}

export type TaskStatus = 'UNKNOWN' | 'CREATED' | 'RUNNING' | 'STOPPED' | 'PAUSED' | 'PAUSING'

export interface Task {
  readonly containerId: string
  readonly id: string
  readonly pid: number
  readonly status: TaskStatus
  readonly exitStatus: number
}

/** A mount of a snapshot, as the kernel takes it. */
export interface SnapshotMount {
  readonly type: string
  readonly source: string
  readonly options: readonly string[]
}

export interface Snapshot {
  readonly name: string
  readonly parent: string
  readonly kind: 'UNKNOWN' | 'VIEW' | 'ACTIVE' | 'COMMITTED'
  readonly createdAt: Timestamp | null
  readonly labels: Readonly<Record<string, string>>
}

export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

export interface Image {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly target: Descriptor
}

interface Keyed {
  readonly snapshotter: string
  readonly key: string
}

type Labels = Readonly<Record<string, string>>
type Mask = { readonly paths: readonly string[] }
type Empty = Readonly<Record<string, never>>
interface Io {
  readonly stdin?: string
  readonly stdout: string
  readonly stderr: string
  readonly terminal?: boolean
}
interface ProcessId {
  readonly containerId: string
  readonly execId?: string
}

/** Calls that take one message and answer with one: `Service.Method` to what goes in and what comes out. */
export interface UnaryCalls {
  'Version.Version': [Empty, { readonly version: string }]
  'Containers.Get': [{ readonly id: string }, { readonly container: Container }]
  'Containers.List': [{ readonly filters: readonly string[] }, { readonly containers: readonly Container[] }]
  'Containers.Create': [{ readonly container: Partial<Container> }, { readonly container: Container }]
  'Containers.Update': [
    { readonly container: Partial<Container>; readonly updateMask: Mask },
    { readonly container: Container },
  ]
  'Containers.Delete': [{ readonly id: string }, Empty]
  'Tasks.Create': [
    Io & { readonly containerId: string; readonly rootfs: readonly SnapshotMount[] },
    { readonly pid: number },
  ]
  'Tasks.Start': [ProcessId, { readonly pid: number }]
  'Tasks.Delete': [{ readonly containerId: string }, { readonly exitStatus: number }]
  'Tasks.DeleteProcess': [ProcessId, { readonly exitStatus: number }]
  'Tasks.Get': [ProcessId, { readonly process: Task }]
  'Tasks.List': [Empty, { readonly tasks: readonly Task[] }]
  'Tasks.Kill': [ProcessId & { readonly signal: number; readonly all?: boolean }, Empty]
  'Tasks.Exec': [Io & ProcessId & { readonly spec: Any }, Empty]
  'Tasks.ResizePty': [ProcessId & { readonly width: number; readonly height: number }, Empty]
  'Tasks.CloseIO': [ProcessId & { readonly stdin: boolean }, Empty]
  'Tasks.Pause': [{ readonly containerId: string }, Empty]
  'Tasks.Resume': [{ readonly containerId: string }, Empty]
  'Tasks.Update': [{ readonly containerId: string; readonly resources: Any }, Empty]
  'Tasks.Wait': [ProcessId, { readonly exitStatus: number }]
  'Snapshots.Prepare': [
    Keyed & { readonly parent: string; readonly labels?: Labels },
    { readonly mounts: readonly SnapshotMount[] },
  ]
  'Snapshots.View': [
    Keyed & { readonly parent: string; readonly labels?: Labels },
    { readonly mounts: readonly SnapshotMount[] },
  ]
  'Snapshots.Mounts': [Keyed, { readonly mounts: readonly SnapshotMount[] }]
  'Snapshots.Commit': [Keyed & { readonly name: string; readonly labels?: Labels }, Empty]
  'Snapshots.Remove': [Keyed, Empty]
  'Snapshots.Stat': [Keyed, { readonly info: Snapshot }]
  'Snapshots.Update': [
    {
      readonly snapshotter: string
      readonly info: { readonly name: string; readonly labels: Labels }
      readonly updateMask: Mask
    },
    Empty,
  ]
  'Snapshots.Usage': [Keyed, { readonly size: number }]
  'Images.Get': [{ readonly name: string }, { readonly image: Image }]
  'Images.List': [{ readonly filters: readonly string[] }, { readonly images: readonly Image[] }]
  'Images.Create': [{ readonly image: Image }, Empty]
  'Images.Update': [{ readonly image: Image; readonly updateMask: Mask }, Empty]
  'Images.Delete': [{ readonly name: string; readonly sync: boolean }, Empty]
  'Content.Info': [{ readonly digest: string }, { readonly info: { readonly size: number } }]
  'Content.Update': [
    { readonly info: { readonly digest: string; readonly labels: Labels }; readonly updateMask: Mask },
    Empty,
  ]
  'Content.Abort': [{ readonly ref: string }, Empty]
  'Diff.Apply': [
    { readonly diff: Descriptor; readonly mounts: readonly SnapshotMount[] },
    { readonly applied: Descriptor },
  ]
  'Leases.Create': [{ readonly id: string; readonly labels: Labels }, Empty]
  'Leases.Delete': [{ readonly id: string; readonly sync: boolean }, Empty]
}

/** Calls that answer with a stream of messages. */
export interface StreamCalls {
  'Content.Read': [
    { readonly digest: string; readonly offset: number; readonly size: number },
    { readonly data: Uint8Array },
  ]
  'Snapshots.List': [
    { readonly snapshotter: string; readonly filters: readonly string[] },
    { readonly info: readonly Snapshot[] },
  ]
}

/** What `Content.Write` takes, one after another. */
export interface WriteRequest {
  readonly action: 'STAT' | 'WRITE' | 'COMMIT'
  readonly ref: string
  readonly total?: number
  readonly expected?: string
  readonly offset?: number
  readonly data?: Uint8Array
  readonly labels?: Labels
}

export interface WriteResponse {
  readonly action: 'STAT' | 'WRITE' | 'COMMIT'
  readonly offset: number
  readonly digest: string
}

export const specType = 'types.containerd.io/opencontainers/runtime-spec/1/Spec'
export const processType = 'types.containerd.io/opencontainers/runtime-spec/1/Process'
export const resourcesType = 'types.containerd.io/opencontainers/runtime-spec/1/LinuxResources'

export function packJson(type: string, value: unknown): Any {
  return { type_url: type, value: Buffer.from(JSON.stringify(value)) }
}

/** Undefined for what is no JSON. */
export function unpackJson(any: Any | null | undefined): unknown {
  if (!any) return undefined
  try {
    return JSON.parse(Buffer.from(any.value).toString('utf8')) as unknown
  } catch {
    return undefined
  }
}

export function isoTime(time: Timestamp | null): string | undefined {
  return time ? new Date(time.seconds * 1000 + Math.floor(time.nanos / 1e6)).toISOString() : undefined
}
