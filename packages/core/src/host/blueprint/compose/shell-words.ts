import { invalidQuantity } from '../parse-quantity.ts'

/** Plain characters, an escaped one, or something in quotes. */
const piece = /[^\s"'\\]+|\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/gs

/** A command as Compose splits it: by blanks, with quotes and backslashes as a shell has them, and nothing else of a shell. */
export function splitWords(text: string): string[] {
  const words: string[] = []
  let end = -1
  for (const found of text.matchAll(piece)) {
    assertBlank(text, end < 0 ? 0 : end, found.index)
    const [whole, escaped, double, single] = found
    const part = escaped ?? single ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? whole
    // What touches the piece before it belongs to the same word.
    if (found.index === end) words.push((words.pop() ?? '') + part)
    else words.push(part)
    end = found.index + whole.length
  }
  assertBlank(text, Math.max(0, end), text.length)
  return words
}

function assertBlank(text: string, from: number, to: number): void {
  if (text.slice(from, to).trim() !== '') throw invalidQuantity(text, 'a command whose quotes are closed')
}
