import type { Table } from '@holm/core'
import { createStyle } from './style.ts'
import type { Style } from './style.ts'
import { measureWidth, padText, truncateText } from './width.ts'

export interface TableOptions {
  /** Cells of the terminal; absent: lines may be as long as they are. */
  readonly width?: number
  readonly style?: Style
  /** First column only, no header: what a script wants. */
  readonly quiet?: boolean
}

const gap = '  '
const narrowest = 6

/** Aligned columns under a header, without trailing spaces or a final newline. */
export function renderTable(table: Table, options: TableOptions = {}): string {
  const { width = Infinity, style = createStyle(false), quiet = false } = options
  if (quiet) return table.rows.map((row) => row[0] ?? '').join('\n')
  if (table.rows.length === 0) return table.empty ?? ''
  const header = table.columns.map((column) => column.toUpperCase())
  const rows = table.rows.map((row) => header.map((_, index) => oneLine(row[index] ?? '')))
  const widths = fitWidths(measureColumns([header, ...rows]), width)
  const render = (row: readonly string[]): string =>
    row
      .map((cell, index) => padText(truncateText(cell, widths[index] ?? 0), widths[index] ?? 0))
      .join(gap)
      .trimEnd()
  return [style.faint(render(header)), ...rows.map(render)].join('\n')
}

function oneLine(cell: string): string {
  return cell.replaceAll(/\s*\n\s*/g, ' ')
}

function measureColumns(rows: readonly (readonly string[])[]): number[] {
  const columns = rows[0]?.map((_, index) => index) ?? []
  return columns.map((index) => Math.max(...rows.map((row) => measureWidth(row[index] ?? ''))))
}

/** Takes cells from the widest column until the line fits; no column gets narrower than `narrowest`. */
function fitWidths(natural: readonly number[], available: number): number[] {
  const widths = [...natural]
  const total = (): number => widths.reduce((sum, width) => sum + width + gap.length, -gap.length)
  while (total() > available) {
    const widest = Math.max(...widths)
    if (widest <= narrowest) break
    const second = Math.max(narrowest, ...widths.filter((width) => width < widest))
    const cut = Math.min(widest - second || 1, total() - available)
    widths[widths.indexOf(widest)] = widest - cut
  }
  return widths
}
