/** What wsl.exe writes. Pure. Words are never looked at: they are in the language of Windows. */

/**
 * Text of wsl.exe: UTF-16LE with or without a byte order mark, or UTF-8 where WSL_UTF8=1 is known. CRLF becomes LF.
 * Versions that translate line ends of a wide stream twice write CR CR LF.
 */
export function decodeOutput(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes)
  const text = isWide(buffer) ? buffer.toString('utf16le') : buffer.toString('utf8')
  return text.replace(/^\uFEFF/, '').replace(/\r+\n/g, '\n')
}

/** Every second byte of Latin text in UTF-16LE is zero, and so is that of its line ends in any language. */
function isWide(buffer: Buffer): boolean {
  if (buffer[0] === 0xff && buffer[1] === 0xfe) return true
  if (buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf) return false
  return buffer.includes(0)
}

export interface ListedDistribution {
  readonly name: string
  readonly isDefault: boolean
  /** As written; use `--list --running` to know. */
  readonly state: string
  readonly version: number
}

/** Rows of `--list --verbose`: a mark, a name, a state of any words, a number. Whatever has another form is no row. */
export function parseVerboseList(text: string): ListedDistribution[] {
  return text.split('\n').flatMap((line) => {
    const row = /^(\*| ) (\S+)\s{2,}(\S.*?)\s+([12])\s*$/.exec(line)
    if (row === null) return []
    const [, mark, name = '', state = '', version] = row
    return [{ name, isDefault: mark === '*', state, version: Number(version) }]
  })
}

/** Names of `--list --quiet`, one a line. Sentences (no distribution, none is running) have spaces and are left out. */
export function parseNames(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => /^[A-Za-z0-9._-]+$/.test(line.trim()))
    .map((line) => line.trim())
}

export interface WslVersion {
  readonly wsl: string
  readonly kernel?: string
  readonly windows?: string
}

/**
 * `--version` of the store's WSL: lines "<words>: <number>", WSL first, kernel second, Windows last. Undefined for a
 * wsl.exe of Windows itself, which does not know the option and prints its usage.
 */
export function parseVersion(text: string): WslVersion | undefined {
  const numbers = text
    .split('\n')
    .flatMap((line) => /^[^<>[\]]*?[:：]\s*([0-9][0-9.]+(?:-[\w.]+)?)\s*$/.exec(line)?.[1] ?? [])
  const [wsl, kernel] = numbers
  if (wsl === undefined || numbers.length < 2) return undefined
  const windows = numbers.length > 2 ? numbers.at(-1) : undefined
  return {
    wsl,
    ...(kernel === undefined ? {} : { kernel }),
    ...(windows === undefined ? {} : { windows }),
  }
}

/** Whether a version is at least another: numbers are compared part by part. */
export function isAtLeast(version: string, wanted: string): boolean {
  const [have, want] = [version, wanted].map((each) => each.split('.').map(Number)) as [number[], number[]]
  for (let index = 0; index < want.length; index += 1) {
    const difference = (have[index] ?? 0) - (want[index] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return true
}
