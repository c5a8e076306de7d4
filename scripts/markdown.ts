/** First line of every generated page. */
export function generatedFrom(path: string): string {
  return `<!-- Generated from ${path} by pnpm generate: edit that file instead. -->`
}

/** A table of Markdown, aligned as the formatter wants it; pipes in the cells are escaped. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')))
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`
  const [first = [], ...others] = cells
  return [
    line(first),
    `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`,
    ...others.map(line),
  ].join('\n')
}

/** A page: its parts with an empty line between. */
export function formatPage(...parts: readonly string[]): string {
  return `${parts.join('\n\n')}\n`
}
