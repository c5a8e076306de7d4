/** Draws what a terminal shows, as `tmux capture-pane -e` gives it, as an SVG. Pure. */

interface Style {
  readonly color?: string
  readonly bold: boolean
  readonly faint: boolean
}

interface Run {
  readonly text: string
  readonly style: Style
}

const plain: Style = { bold: false, faint: false }
const palette = ['#484f58', '#ff7b72', '#7ee787', '#d29922', '#79c0ff', '#d2a8ff', '#56d4dd', '#c9d1d9']
const bright = ['#6e7681', '#ffa198', '#aff5b4', '#e3b341', '#a5d6ff', '#e2c5ff', '#b3f0ff', '#ffffff']
const cell = { width: 8.43, height: 19 }
const margin = { side: 18, top: 44, bottom: 16 }

/** `columns`: width of the terminal in cells; `title`: for readers who do not see the picture. */
export function renderTerminal(
  screen: string,
  options: { readonly columns: number; readonly title: string },
): string {
  const lines = screen.trimEnd().split('\n').map(parseLine)
  const width = Math.round(options.columns * cell.width + 2 * margin.side)
  const height = margin.top + lines.length * cell.height + margin.bottom
  const title = escapeXml(options.title)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">`,
    `<title>${title}</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="#0d1117"/>`,
    ...['#ff5f57', '#febc2e', '#28c840'].map(
      (fill, index) => `<circle cx="${20 + index * 18}" cy="20" r="6" fill="${fill}"/>`,
    ),
    '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" fill="#c9d1d9" xml:space="preserve">',
    ...lines.flatMap((runs, index) => renderLine(runs, margin.top + (index + 0.75) * cell.height)),
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

/** Every run is stretched to its cells, so that columns stand under each other in any font. */
function renderLine(runs: readonly Run[], y: number): string[] {
  let column = 0
  return runs.flatMap(({ text, style }) => {
    const x = margin.side + column * cell.width
    const length = Array.from(text).length
    column += length
    if (text.trim() === '') return []
    const look = [
      style.color === undefined ? '' : ` fill="${style.color}"`,
      style.bold ? ' font-weight="bold"' : '',
      style.faint ? ' opacity="0.6"' : '',
    ].join('')
    return [
      `<text x="${x.toFixed(1)}" y="${y}" textLength="${(length * cell.width).toFixed(1)}"${look}>${escapeXml(text)}</text>`,
    ]
  })
}

/** Texts with their style; only what selects colours and weight is understood, other sequences are left out. */
export function parseLine(line: string): Run[] {
  const runs: Run[] = []
  let style = plain
  for (const part of line.trimEnd().split(/(\u001b\[[0-9;]*m)/)) {
    const codes = /^\u001b\[([0-9;]*)m$/.exec(part)?.[1]
    if (codes !== undefined) style = applyCodes(style, codes.split(';').map(Number))
    else if (part !== '')
      runs.push({ text: part.replaceAll(/\u001b\[[0-9;?]*[a-zA-Z]|[\u000e\u000f]/g, ''), style })
  }
  return runs
}

function applyCodes(style: Style, codes: readonly number[]): Style {
  return codes.reduce(applyCode, style)
}

function applyCode(style: Style, code: number): Style {
  if (code === 0) return plain
  if (code === 1) return { ...style, bold: true }
  if (code === 2) return { ...style, faint: true }
  if (code === 22) return { ...style, bold: false, faint: false }
  const color = code >= 90 ? bright[code - 90] : palette[code - 30]
  if (color !== undefined) return { ...style, color }
  if (code !== 39) return style
  const { color: _old, ...rest } = style
  return rest
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
