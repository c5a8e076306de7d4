import { HolmError } from '../../../errors.ts'
import type { Mount } from '../../../spec.ts'
import { parseTarget, parseVolumeName, resolveHostPath, toTmpfs, type PathContext } from '../parse-mounts.ts'
import { parseSize } from '../parse-quantity.ts'
import { isRecord } from '../plain-value.ts'
import { field, invalid, toBoolean, toList, toMap, toText, toTexts, type Field } from './values.ts'

export interface VolumeContext extends PathContext {
  /** Names of the volumes that the file declares. */
  readonly declared: ReadonlySet<string>
}

export function toMounts(
  service: Readonly<Record<string, unknown>>,
  path: string,
  context: VolumeContext,
): Mount[] {
  const volumes = field(service, 'volumes', path)
  const tmpfs = field(service, 'tmpfs', path)
  return [
    ...(volumes ? toList(volumes).map((entry) => toMount(entry, context)) : []),
    ...(tmpfs ? toTexts(tmpfs).map((entry) => toTmpfs(entry)) : []),
  ]
}

function toMount(given: Field, context: VolumeContext): Mount {
  return isRecord(given.value) ? longMount(given, context) : shortMount(given, toText(given), context)
}

/** [source:]target[:options]; the source is a path when it looks like one. */
function shortMount(given: Field, text: string, context: VolumeContext): Mount {
  const parts = text.split(':')
  if (parts.length > 3) throw invalid(given, 'a volume such as "data:/var/lib/data" or "./src:/src:ro"')
  const [source, target, options = ''] = parts.length === 1 ? [undefined, text] : parts
  const readonly = options.split(',').includes('ro')
  const at = parseTarget(target ?? '')
  if (source === undefined) return { type: 'volume', target: at, readonly }
  if (/^[./~]/.test(source))
    return { type: 'bind', source: resolveHostPath(source, context), target: at, readonly }
  return { type: 'volume', source: declared(given, source, context), target: at, readonly }
}

function longMount(given: Field, context: VolumeContext): Mount {
  const map = toMap(given)
  const text = (key: string): string | undefined => {
    const found = field(map, key, given.path)
    return found && toText(found)
  }
  const flag = field(map, 'read_only', given.path)
  const readonly = flag !== undefined && toBoolean(flag)
  const target = parseTarget(text('target') ?? '')
  const source = text('source')
  const type = text('type') ?? 'volume'
  if (type === 'tmpfs') return { type, target, ...tmpfsSize(field(map, 'tmpfs', given.path)) }
  if (type === 'bind' && source !== undefined)
    return { type, source: resolveHostPath(source, context), target, readonly }
  if (type !== 'volume') throw invalid(given, 'a volume of the type volume, bind or tmpfs')
  return { type, ...(source && { source: declared(given, source, context) }), target, readonly }
}

function tmpfsSize(options: Field | undefined): { sizeBytes?: number } {
  const size = options && field(toMap(options), 'size', options.path)
  return size ? { sizeBytes: parseSize(size.value as string | number) } : {}
}

function declared({ path }: Field, name: string, context: VolumeContext): string {
  if (context.declared.has(name)) return parseVolumeName(name)
  throw new HolmError('HOLM_BLUEPRINT_INVALID', `${path}: the Compose file declares no volume ${name}`, {
    hint: `Add ${name} to its volumes, or write ./${name} for a folder.`,
    details: { path },
  })
}
