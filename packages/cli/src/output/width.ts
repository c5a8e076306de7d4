import { stripVTControlCharacters } from 'node:util'

// eslint-disable-next-line no-control-regex -- the printable ASCII range is what is meant
const asciiOnly = /^[\x20-\x7e]*$/
const zeroWidth = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]+$/u
const wide =
  /\p{Emoji_Presentation}|\uFE0F|[\u1100-\u115F\u2E80-\u303E\u3041-\u33FF\u3400-\u4DBF\u4E00-\u9FFF\uA000-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE4F\uFF00-\uFF60\uFFE0-\uFFE6]|[\u{20000}-\u{3FFFD}]/u

let segmenter: Intl.Segmenter | undefined

function listGraphemes(text: string): string[] {
  segmenter ??= new Intl.Segmenter()
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

function measureGrapheme(grapheme: string): number {
  if (zeroWidth.test(grapheme)) return 0
  return wide.test(grapheme) ? 2 : 1
}

/** Cells of a terminal that the text takes; escape sequences take none. */
export function measureWidth(text: string): number {
  if (asciiOnly.test(text)) return text.length
  let width = 0
  for (const grapheme of listGraphemes(stripVTControlCharacters(text))) width += measureGrapheme(grapheme)
  return width
}

/** Cuts plain text to `width` cells; an ellipsis takes the last one. */
export function truncateText(text: string, width: number): string {
  if (measureWidth(text) <= width) return text
  if (width < 1) return ''
  let cut = ''
  let used = 0
  for (const grapheme of listGraphemes(stripVTControlCharacters(text))) {
    used += measureGrapheme(grapheme)
    if (used > width - 1) break
    cut += grapheme
  }
  return `${cut}…`
}

/** Fills with spaces on the right up to `width` cells. */
export function padText(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - measureWidth(text)))
}
