import type { CommandResult } from '@holm/core'
import type { Sanitize } from '../sanitize.ts'
import type { Streams } from '../streams.ts'
import type { Style } from './style.ts'
import { renderTable } from './table.ts'

export interface ResultView {
  readonly streams: Streams
  readonly json: boolean
  readonly quiet: boolean
  readonly style: Style
  readonly sanitize: Sanitize
  readonly signal: AbortSignal
}

/** One item of a stream for people: a text with the stream it belongs to. Anything else is printed as JSON. */
export interface StreamItem {
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
}

/** Prints what a command returned: a table, a text, or JSON. */
export async function printResult(result: CommandResult, view: ResultView): Promise<void> {
  if (isAsyncIterable(result.data)) return printStream(result.data, view)
  const { streams, json } = view
  if (json)
    return writeLine(
      streams.stdout,
      JSON.stringify(result.data ?? null, cleaner(view.sanitize), indentOf(streams.stdout)),
    )
  const text = renderForPeople(result, view)
  if (text !== '') writeLine(streams.stdout, text)
}

/** Documents, of results as of errors, are one line each for programs, and indented for the people at a terminal. */
export function indentOf(stream: Streams['stdout']): number {
  return stream.isTTY === true ? 2 : 0
}

function renderForPeople({ table, text, data }: CommandResult, view: ResultView): string {
  const { sanitize, quiet, style, streams } = view
  if (text !== undefined && !(quiet && table))
    return joinParts(text, table && renderClean({ table, ...view }))
  if (table) return renderClean({ table, sanitize, quiet, style, streams })
  return data === undefined ? '' : JSON.stringify(data, cleaner(sanitize), 2)

  function joinParts(first: string, second: string | undefined): string {
    return [sanitize(first), second].filter((part) => part !== undefined && part !== '').join('\n')
  }
}

type CleanTable = Pick<ResultView, 'sanitize' | 'quiet' | 'style' | 'streams'> & {
  readonly table: NonNullable<CommandResult['table']>
}

function renderClean({ table, sanitize, quiet, style, streams }: CleanTable): string {
  const rows = table.rows.map((row) => row.map((cell) => sanitize(cell)))
  const { isTTY, columns } = streams.stdout
  return renderTable({ ...table, rows }, { quiet, style, ...(isTTY && columns ? { width: columns } : {}) })
}

async function printStream(
  items: AsyncIterable<unknown>,
  { streams, json, sanitize, signal }: ResultView,
): Promise<void> {
  for await (const item of items) {
    const forPeople = !json && isStreamItem(item)
    const target = forPeople && item.stream === 'stderr' ? streams.stderr : streams.stdout
    const line = forPeople ? sanitize(item.text) : JSON.stringify(item, cleaner(sanitize))
    if (!target.write(`${line}\n`)) await waitForDrain(target, signal)
  }
}

async function waitForDrain(target: Streams['stdout'], signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const events = ['drain', 'close', 'error'] as const
  for (const event of events) target.once(event, resolve)
  signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
  for (const event of events) target.off(event, resolve)
}

function cleaner(sanitize: Sanitize): (key: string, value: unknown) => unknown {
  return (_key, value) => (typeof value === 'string' ? sanitize(value) : value)
}

function writeLine(stream: Streams['stdout'], text: string): void {
  stream.write(`${text}\n`)
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

function isStreamItem(value: unknown): value is StreamItem {
  return typeof value === 'object' && value !== null && 'text' in value && typeof value.text === 'string'
}
