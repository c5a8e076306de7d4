/** One line of `tar --list --verbose --numeric-owner --quoting-style=escape`. */
export interface TarLine {
  readonly kind: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Without leading `./`, escapes resolved. */
  readonly path: string
}

export function parseTarList(text: string): TarLine[] {
  return text.split('\n').flatMap((line) => {
    const found = /^([-dlhbcps])([-rwxsStT]{9})\S? +(\d+)\/(\d+) +\S+ +\S+ \S+ (.*)$/.exec(line)
    if (!found) return []
    const [, kind = '-', rights = '', uid, gid, rest = ''] = found
    const name = rest.split(kind === 'l' ? ' -> ' : ' link to ')[0] ?? rest
    const path = unescape(name)
      .replace(/^(?:\.\/+)+/, '')
      .replace(/\/+$/, '')
    return [
      { kind, mode: parseRights(rights), uid: Number(uid), gid: Number(gid), path: path === '.' ? '' : path },
    ]
  })
}

/** `rwsr-xr-t` as a number. */
export function parseRights(text: string): number {
  const special = [0o4000, 0o2000, 0o1000]
  return Array.from(text).reduce((mode, letter, index) => {
    const bit = 1 << (8 - index)
    const extra = 'sStT'.includes(letter) ? (special[Math.floor(index / 3)] ?? 0) : 0
    return mode | (letter === '-' || letter === 'S' || letter === 'T' ? 0 : bit) | extra
  }, 0)
}

function unescape(text: string): string {
  const bytes = Buffer.from(
    text.replace(/\\([0-7]{3}|.)/g, (_all, code: string) =>
      code.length === 3 ? String.fromCodePoint(Number.parseInt(code, 8)) : (escapes[code] ?? code),
    ),
    'latin1',
  )
  return bytes.toString('utf8')
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\u0007',
  b: '\b',
  f: '\f',
  v: '\v',
}
const formats: Readonly<Record<string, number>> = { '-': 0o100000, d: 0o040000, l: 0o120000 }

/**
 * Commands for debugfs that give every file the owner and mode of the archive. Hard links are their first name; devices were
 * not unpacked; names that debugfs cannot be told keep the owner root, which is set for all else.
 */
export function ownerCommands(lines: readonly TarLine[]): string {
  const commands = lines.flatMap(({ kind, mode, uid, gid, path }) => {
    const format = formats[kind]
    if (format === undefined || /["\n\\]/.test(path) || path.startsWith('dev/')) return []
    const file = `"/${path}"`
    return [
      `sif ${file} uid ${uid}`,
      `sif ${file} gid ${gid}`,
      ...(kind === 'l' ? [] : [`sif ${file} mode 0${(format | mode).toString(8)}`]),
    ]
  })
  return `${commands.join('\n')}\n`
}
