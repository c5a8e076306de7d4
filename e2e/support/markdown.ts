/** A fenced block of a page, with what the comments before it say about running it. */
export interface Block {
  readonly language: string
  readonly text: string
  /** Line of the opening fence, from 1. */
  readonly line: number
  readonly markers: Markers
}

/**
 * Comments directly before a block, invisible to readers:
 * `<!-- skip: reason -->` not run · `<!-- needs: docker, rootfs -->` skipped where the machine has none ·
 * `<!-- before: holm up -->` run first, as what an earlier page or block left · `<!-- exit: 3 -->` how the block's last command ends · `<!-- file: holm.yaml -->` the block is written to that file ·
 * `<!-- project: examples/hello -->` the blocks from here on run in a new copy of that folder (`empty`: in an empty one).
 */
export interface Markers {
  readonly skip?: string
  readonly needs: readonly string[]
  readonly exit: number
  readonly file?: string
  readonly project?: string
  readonly before?: string
}

const fence = /^(`{3,})(\w*)\s*$/
const comment = /^<!--\s*(skip|needs|exit|file|project|before):\s*(.+?)\s*-->$/

/** The fenced blocks of a page in order. Throws for a block that does not end, and for a marker that nothing follows. */
export function parseBlocks(page: string): Block[] {
  const lines = page.split('\n')
  const blocks: Block[] = []
  let pending: Record<string, string> = {}
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? ''
    const marker = comment.exec(line)
    const opening = fence.exec(line)
    if (marker) pending[marker[1] ?? ''] = marker[2] ?? ''
    else if (opening) {
      const end = lines.indexOf(opening[1] ?? '', index + 1)
      if (end < 0) throw new Error(`line ${index + 1}: the block does not end`)
      const text = lines.slice(index + 1, end).join('\n')
      blocks.push({ language: opening[2] ?? '', text, line: index + 1, markers: toMarkers(pending) })
      pending = {}
      index = end
    } else if (line.trim() !== '' && Object.keys(pending).length > 0) {
      throw new Error(`line ${index + 1}: a marker is not followed by a block`)
    }
  }
  return blocks
}

function toMarkers({ needs = '', exit = '0', ...texts }: Record<string, string>): Markers {
  return {
    ...texts,
    needs: needs.split(/[\s,]+/).filter((need) => need !== ''),
    exit: Number(exit),
  }
}

/** One command of a console block with the lines that are shown below it. */
export interface Shown {
  readonly command: string
  readonly output: readonly string[]
}

/** A `console` block: `$ ` starts a command, `> ` goes on with it, everything else is output. */
export function parseConsole(text: string): Shown[] {
  const shown: { command: string; output: string[] }[] = []
  for (const line of text.split('\n')) {
    const last = shown.at(-1)
    if (line.startsWith('$ ')) shown.push({ command: line.slice(2), output: [] })
    else if (line.startsWith('> ') && last && last.output.length === 0) last.command += `\n${line.slice(2)}`
    else if (last) last.output.push(line)
    else throw new Error(`a console block starts with a command, not with ${JSON.stringify(line)}`)
  }
  return shown
}

/**
 * True when the lines are what was shown: `…` stands for any text within a line, and alone on a line for any lines.
 * Spaces at the ends of lines, the width of columns, and empty lines at the end do not count.
 */
export function matchesShown(output: string, shown: readonly string[]): boolean {
  const pattern = shown
    .map((line) => (line.trim() === '…' ? '(?:.*\n)*?' : `${toPattern(line.trimEnd())}[ \t]*\n`))
    .join('')
  return new RegExp(`^${pattern}\n*$`).test(output === '' || output.endsWith('\n') ? output : `${output}\n`)
}

function toPattern(line: string): string {
  return line
    .split('…')
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll(/ {2,}/g, ' {2,}'))
    .join('.*?')
}

/** Anchors that GitHub makes of a page's headings. */
export function listAnchors(page: string): Set<string> {
  const anchors = new Set<string>()
  for (const line of withoutBlocks(page).split('\n')) {
    const heading = /^#{1,6}\s+(.+?)\s*#*$/.exec(line)?.[1]
    if (heading === undefined) continue
    const base = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
    let anchor = base
    for (let count = 1; anchors.has(anchor); count++) anchor = `${base}-${count}`
    anchors.add(anchor)
  }
  return anchors
}

/** Targets of links and pictures, in order. */
export function listLinks(page: string): string[] {
  const text = withoutBlocks(page).replaceAll(/`[^`\n]*`/g, '')
  return [...text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)].map((match) => match[1] ?? '')
}

function withoutBlocks(page: string): string {
  return page.replaceAll(/^(`{3,})[^\n]*\n[^]*?^\1\s*$/gm, '')
}
