import { TarDamage, type TarEntry } from './entries.ts'

/** Files, hard and symbolic links, folders, FIFOs, and files that are stored in a form of their own. */
const kinds = new Set(['0', '1', '2', '5', '6', '7', 'S'])

/** Throws for the first entry that is not to be unpacked. `devices`: those of /dev, which every runtime makes itself, may be there. */
export function createGuard({ devices = false }: { readonly devices?: boolean } = {}): (
  entry: TarEntry,
) => void {
  const links = new Set<string>()
  const files = new Set<string>()
  const assertLink = (path: string, target: string): void => {
    const origin = innerPath(target)
    assertBelow(origin, links, path)
    if (!files.has(origin) && !links.has(origin))
      throw new TarDamage(`${path} is a link to ${target}, which is not in it`)
  }
  return ({ path, target, type }) => {
    const inner = innerPath(path)
    assertBelow(inner, links, path)
    if (links.has(inner)) throw new TarDamage(`${path} is in it twice`)
    if (isDevice(type)) {
      if (!devices || !inner.startsWith('dev/')) throw new TarDamage(`${path} is a device`)
    } else if (!kinds.has(type)) throw new TarDamage(`${path} is of an unknown kind`)
    if (type === '1') assertLink(path, target)
    if (type === '2') links.add(inner)
    else if (type !== '5') files.add(inner)
  }
}

function isDevice(type: string): boolean {
  return type === '3' || type === '4'
}

/** Relative, without `.`; never with `..`. */
function innerPath(path: string): string {
  if (path.startsWith('/')) throw new TarDamage(`the path ${path} is absolute`)
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  if (names.includes('..')) throw new TarDamage(`the path ${path} leads out of it`)
  return names.join('/')
}

function assertBelow(inner: string, links: ReadonlySet<string>, path: string): void {
  for (let at = inner.indexOf('/'); at >= 0; at = inner.indexOf('/', at + 1))
    if (links.has(inner.slice(0, at))) throw new TarDamage(`${path} lies behind a link`)
}
