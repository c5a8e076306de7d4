/**
 * Windows and Linux names of one file. Pure. drvfs keeps characters that Windows forbids in names as private ones
 * (U+F000 and the character), so a Linux name with a quote or a colon has a Windows name too.
 */

const forbidden = /["*:<>?|\\\u{1}-\u{1f}]/gu
const kept = /[\uF001-\uF07F]/g

/** A file in the file system of a distribution, or on a drive of Windows. */
export type Place =
  | { readonly kind: 'drive'; readonly windows: string }
  | { readonly kind: 'distribution'; readonly distribution: string; readonly path: string }

/** Where drives are mounted: `/mnt/` unless wsl.conf says `automount.root`. Always ends with a slash. */
export function normalizeRoot(root = '/mnt/'): string {
  return `/${root.split('/').filter(Boolean).join('/')}/`.replace('//', '/')
}

/** What a Windows path names; undefined for a share of another machine, a relative path, or a device. */
export function parseWindowsPath(given: string): Place | undefined {
  const text = given
    .replaceAll('/', '\\')
    .replace(/^\\\\\?\\(?:UNC\\)?/i, (prefix) => (/UNC/i.test(prefix) ? '\\\\' : ''))
  const drive = /^([a-z]):(?:\\(.*))?$/is.exec(text)
  if (drive) {
    const rest = (drive[2] ?? '').split('\\').filter(Boolean).join('\\')
    return { kind: 'drive', windows: `${(drive[1] ?? '').toUpperCase()}:\\${rest}` }
  }
  const share = /^\\\\wsl(?:\$|\.localhost)\\([^\\]+)(.*)$/is.exec(text)
  if (share === null) return undefined
  const inner = (share[2] ?? '').split('\\').filter(Boolean).map(unescapeName).join('/')
  return { kind: 'distribution', distribution: share[1] ?? '', path: `/${inner}` }
}

/** What a Linux path of `distribution` names: below the automount root a drive, otherwise its own file. */
export function parseLinuxPath(given: string, distribution: string, root?: string): Place {
  const prefix = normalizeRoot(root)
  const found = given.startsWith(prefix) ? /^([a-z])(?:\/(.*))?$/s.exec(given.slice(prefix.length)) : null
  if (found === null) return { kind: 'distribution', distribution, path: given }
  const rest = (found[2] ?? '').split('/').filter(Boolean).map(escapeName).join('\\')
  return { kind: 'drive', windows: `${(found[1] ?? '').toUpperCase()}:\\${rest}` }
}

/** Name of a place for a Windows program. */
export function windowsPathOf(place: Place): string {
  if (place.kind === 'drive') return place.windows
  const inner = place.path.split('/').filter(Boolean).map(escapeName)
  return ['\\\\wsl.localhost', place.distribution, ...inner].join('\\')
}

/** Name of a drive's file inside a distribution that mounts drives below `root`. */
export function drivePathInside(windows: string, root?: string): string {
  const [drive = '', ...names] = windows.split('\\')
  return (
    normalizeRoot(root) +
    [drive.slice(0, 1).toLowerCase(), ...names.filter(Boolean).map(unescapeName)].join('/')
  )
}

function escapeName(name: string): string {
  return name.replace(forbidden, (character) => String.fromCharCode(0xf000 + character.charCodeAt(0)))
}

function unescapeName(name: string): string {
  return name.replace(kept, (character) => String.fromCharCode(character.charCodeAt(0) - 0xf000))
}
