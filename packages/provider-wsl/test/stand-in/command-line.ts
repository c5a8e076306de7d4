/**
 * A Windows program gets one line. Interop and Node write it by the rules of the Microsoft compiler's library; wsl.exe
 * reads it back in its own way.
 */

export function toCommandLine(argv: readonly string[]): string {
  return argv.map(quote).join(' ')
}

function quote(word: string): string {
  if (word !== '' && !/[ \t\n\v"]/.test(word)) return word
  let text = '"'
  let backslashes = 0
  for (const character of word) {
    if (character === '\\') backslashes += 1
    else {
      text += '\\'.repeat(character === '"' ? backslashes * 2 + 1 : backslashes) + character
      backslashes = 0
    }
  }
  return `${text}${'\\'.repeat(backslashes * 2)}"`
}

/** The first word up to a space or tab, as wsl.exe reads its options: quotes are part of it. */
export function firstWord(line: string): string {
  return /^[^ \t]*/.exec(line)?.[0] ?? ''
}

export function afterWord(line: string, word: string): string {
  return line.slice(word.length).replace(/^[ \t]+/, '')
}

/** CommandLineToArgvW: the first word knows no backslash; in the others 2n of them before a quote are n. */
export function commandLineToArgv(line: string): string[] {
  const first = line.startsWith('"') ? /^"([^"]*)"?/.exec(line) : /^([^ \t]*)/.exec(line)
  const words = [first?.[1] ?? '']
  let rest = line.slice(first?.[0].length ?? 0)
  for (;;) {
    rest = rest.replace(/^[ \t]+/, '')
    if (rest === '') return words
    const { word, length } = readWord(rest)
    words.push(word)
    rest = rest.slice(length)
  }
}

interface Piece {
  readonly text: string
  readonly quoted: boolean
  readonly length: number
}

function readWord(line: string): { word: string; length: number } {
  let word = ''
  let quoted = false
  let at = 0
  while (at < line.length && (quoted || !/[ \t]/.test(line[at] ?? ''))) {
    const piece = readPiece(line.slice(at), quoted)
    word += piece.text
    quoted = piece.quoted
    at += piece.length
  }
  return { word, length: at }
}

/** Backslashes before a quote, a quote, or anything else up to the next of these. */
function readPiece(line: string, quoted: boolean): Piece {
  const slashes = /^(\\+)"/.exec(line)?.[1]?.length ?? 0
  if (slashes > 0) {
    const half = '\\'.repeat(Math.floor(slashes / 2))
    // An odd one makes the quote a character; otherwise the quote is read next.
    if (slashes % 2 === 1) return { text: `${half}"`, quoted, length: slashes + 1 }
    return { text: half, quoted, length: slashes }
  }
  if (quoted && line.startsWith('""')) return { text: '"', quoted, length: 2 }
  if (line.startsWith('"')) return { text: '', quoted: !quoted, length: 1 }
  const plain = (quoted ? /^\\+|^[^\\"]+/ : /^\\+|^[^\\" \t]+/).exec(line)?.[0] ?? ''
  return { text: plain, quoted, length: plain.length }
}
