import type { DiskImage } from './record.ts'

/** What `limactl list --format=json` says of an instance, as far as holm reads it. */
export interface ListedInstance {
  readonly name: string
  readonly status: string
  readonly dir?: string
  readonly vmType?: string
  readonly errors: readonly string[]
  /** Of its configuration. */
  readonly images: readonly DiskImage[]
  readonly mountTypesUnsupported: readonly string[]
}

/** JSON lines. Lines that are none (a cut last one, a warning) are passed over; unknown keys are ignored. */
export function parseInstances(stdout: string): readonly ListedInstance[] {
  return stdout.split('\n').flatMap((line) => {
    const value = parseObject(line)
    if (typeof value?.['name'] !== 'string') return []
    const { name, status, dir, vmType, errors } = value
    const config = asObject(value['config'])
    return [
      {
        name,
        status: typeof status === 'string' ? status : '',
        ...(typeof dir === 'string' && { dir }),
        ...(typeof vmType === 'string' && { vmType }),
        errors: textsOf(errors),
        images: parseImages(config?.['images']),
        mountTypesUnsupported: textsOf(config?.['mountTypesUnsupported']),
      },
    ]
  })
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function parseImages(value: unknown): DiskImage[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((each: unknown) => {
    const { location, arch, digest } = asObject(each) ?? {}
    if (typeof location !== 'string') return []
    return [
      {
        location,
        ...(typeof arch === 'string' && { arch }),
        ...(typeof digest === 'string' && { digest }),
      },
    ]
  })
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return asObject(JSON.parse(line))
  } catch {
    return undefined
  }
}

export interface LimaVersion {
  readonly text: string
  readonly numbers: readonly [number, number, number]
}

/** Of "limactl version 1.2.3"; a development build has no numbers and counts as the newest, as Lima itself has it. */
export function parseVersion(stdout: string): LimaVersion | undefined {
  const text = /^limactl version (\S+)/m.exec(stdout)?.[1]
  if (text === undefined) return undefined
  const [, major, minor, patch] = /^v?(\d+)\.(\d+)\.(\d+)/.exec(text) ?? []
  if (major === undefined) return { text, numbers: [Infinity, 0, 0] }
  return { text, numbers: [Number(major), Number(minor), Number(patch)] }
}

export function isAtLeast({ numbers }: LimaVersion, wanted: string): boolean {
  const parts = wanted.split('.').map(Number)
  for (const [index, number] of numbers.entries()) {
    const part = parts[index] ?? 0
    if (number !== part) return number > part
  }
  return true
}

/** The messages of a log (`time="…" level=fatal msg="…"`), worst first; lines that are no log stay as they are. */
export function parseFailure(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '')
  const fatal = lines.filter((line) => /level=(fatal|error)/.test(line) || !line.includes('level='))
  const chosen = fatal.length > 0 ? fatal : lines.slice(-1)
  return chosen.map(messageOf).join('; ').slice(0, 2000)
}

function messageOf(line: string): string {
  const quoted = /\bmsg=("(?:[^"\\]|\\.)*")/.exec(line)?.[1]
  if (quoted !== undefined) return unquote(quoted)
  return /\bmsg=(\S+)/.exec(line)?.[1] ?? line.trim()
}

/** A Go string; nearly JSON. */
function unquote(text: string): string {
  try {
    return JSON.parse(text) as string
  } catch {
    return text.slice(1, -1)
  }
}

/** Of `limactl snapshot list --quiet`. */
export function parseTags(stdout: string): readonly string[] {
  return stdout.split('\n').filter((line) => line !== '')
}
