import { HolmError } from '../../../errors.ts'
import { parseSize } from '../parse-quantity.ts'
import { parseVolumeName, parseTarget, resolveHostPath } from '../parse-mounts.ts'
import type { DevcontainerMount } from './devcontainer-config.ts'
import type { Mount } from '../../../spec.ts'
import type { PathContext } from '../parse-mounts.ts'

/** `type=bind,source=/x,target=/y,readonly`, as Docker's --mount has it, or the same as an object. Throws HOLM_BLUEPRINT_INVALID. */
export function parseMount(mount: string | DevcontainerMount, paths: PathContext): Mount {
  return typeof mount === 'string'
    ? toMount(parsePairs(mount), mount, paths)
    : toMount(objectPairs(mount), mount.target, paths)
}

type Pairs = ReadonlyMap<string, string>

/** Comma separated, values may be quoted as in a CSV file. */
function parsePairs(text: string): Pairs {
  const pairs = new Map<string, string>()
  for (const [, quoted, bare] of text.matchAll(/"((?:[^"]|"")*)"|([^,]+)/g)) {
    const pair = (quoted?.replaceAll('""', '"') ?? bare ?? '').trim()
    const split = pair.indexOf('=')
    const key = (split < 0 ? pair : pair.slice(0, split)).trim().toLowerCase()
    pairs.set(aliases[key] ?? key, split < 0 ? 'true' : pair.slice(split + 1).trim())
  }
  return pairs
}

const aliases: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
}

function objectPairs(mount: DevcontainerMount): Pairs {
  const entries = Object.entries(mount).map(([key, value]) => [aliases[key] ?? key, String(value)] as const)
  return new Map(entries)
}

function toMount(pairs: Pairs, shown: string, paths: PathContext): Mount {
  const type = pairs.get('type') ?? 'volume'
  const target = parseTarget(pairs.get('target') ?? '')
  const source = pairs.get('source')
  const readonly = /^(?:true|1)$/.test(pairs.get('readonly') ?? '')
  if (type === 'tmpfs') {
    const size = pairs.get('tmpfs-size')
    return { type, target, ...(size === undefined ? {} : { sizeBytes: parseSize(size) }) }
  }
  if (type === 'volume') {
    return { type, ...(source ? { source: parseVolumeName(source) } : {}), target, readonly }
  }
  if (type === 'bind' && source) return { type, source: resolveHostPath(source, paths), target, readonly }
  throw new HolmError(
    'HOLM_BLUEPRINT_INVALID',
    type === 'bind'
      ? `the mount ${JSON.stringify(shown)} has no source`
      : `the mount ${JSON.stringify(shown)} has the unknown type "${type}"`,
    { hint: 'Write type=bind,source=<path>,target=<path>, or use type=volume or type=tmpfs.' },
  )
}

/** `-v source:target[:options]`: a source with a separator is a path, any other a volume's name. */
export function parseVolumeText(text: string, paths: PathContext): Mount {
  const match = /^(?:((?:[A-Za-z]:[\\/])?[^:]*):)?(\/[^:]*)(?::([\w,]+))?$/.exec(text)
  if (match === null) {
    throw new HolmError(
      'HOLM_BLUEPRINT_INVALID',
      `${JSON.stringify(text)} is no volume such as "/data:/data:ro"`,
      {
        hint: 'Write source:target or source:target:ro.',
      },
    )
  }
  const [, source, inside = '', options = ''] = match
  const common = { target: parseTarget(inside), readonly: options.split(',').includes('ro') }
  if (!source) return { type: 'volume', ...common }
  if (/[\\/]|^[.~]/.test(source)) return { type: 'bind', source: resolveHostPath(source, paths), ...common }
  return { type: 'volume', source: parseVolumeName(source), ...common }
}
