import type { CaseResult } from './results.ts'

/** Milliseconds as they are read: a fraction only where it says something. */
export function formatMs(ms: number): string {
  return ms < 10 ? ms.toFixed(1) : String(Math.round(ms))
}

export function formatRatio(ratio: number): string {
  return `${ratio.toFixed(2)}x`
}

/** How far a median is from what its budget counts. */
export function formatActual({ budget, ratio, differenceMs }: CaseResult['verdicts'][number]): string {
  if (budget.endsWith('x')) return formatRatio(ratio)
  return `${differenceMs < 0 ? '-' : '+'}${formatMs(Math.abs(differenceMs))} ms`
}

/** One case for a terminal: a line per contender, then a line per budget. */
export function formatCase({ id, title, contenders, verdicts }: CaseResult): string {
  const head = ['ms', 'median', 'p95', 'min', 'max']
  const rows = contenders.map(({ name, medianMs, p95Ms, minMs, maxMs }) => [
    name,
    ...[medianMs, p95Ms, minMs, maxMs].map((ms) => formatMs(ms)),
  ])
  const budgets = verdicts.map((verdict) => {
    const { of, than, budget, met } = verdict
    return `  ${met ? 'met   ' : 'MISSED'} ${of} ${formatActual(verdict)} of ${than} (${budget})`
  })
  return [`${id}: ${title}`, ...alignColumns([head, ...rows]).map((line) => `  ${line}`), ...budgets].join(
    '\n',
  )
}

/** The first column to the left, numbers to the right. */
function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  '),
  )
}
