import type { LiveTable, Table } from '@holm/core'
import type { Sanitize } from '../sanitize.ts'
import type { Streams } from '../streams.ts'
import type { Style } from './style.ts'
import { renderTable } from './table.ts'
import { truncateText } from './width.ts'

export interface LiveTableView {
  readonly streams: Streams
  readonly style: Style
  readonly sanitize: Sanitize
  readonly signal: AbortSignal
}

/** Another screen, without a cursor; and back. */
const enter = '\u001b[?1049h\u001b[?25l'
const leave = '\u001b[?25h\u001b[?1049l'
const home = '\u001b[H'
const eraseLine = '\u001b[K'
const eraseBelow = '\u001b[J'

/**
 * Shows the table on a screen of its own, anew at every interval, keystroke and change of size, until a key chooses what comes next;
 * undefined when it is left with q or Ctrl-C, or interrupted. The terminal is restored whatever happens.
 */
export async function showLiveTable(
  live: LiveTable,
  view: LiveTableView,
): Promise<readonly string[] | undefined> {
  const { streams, signal } = view
  const { stdin, stdout } = streams
  const screen = createScreen(live, view)
  const giveBack = (): void => {
    stdin.setRawMode?.(false)
    stdout.write(leave)
  }
  process.once('exit', giveBack)
  stdin.setRawMode?.(true)
  stdout.write(enter)
  const timer = setInterval(screen.refresh, live.intervalMs)
  const chosen = Promise.withResolvers<readonly string[] | undefined>()
  const onData = (chunk: Buffer): void => {
    const choice = screen.press(chunk.toString())
    if (choice !== 'stay') chosen.resolve(choice)
  }
  const onEnd = (): void => chosen.resolve(undefined)
  stdin.on('data', onData).once('end', onEnd).resume()
  stdout.on('resize', screen.draw)
  signal.addEventListener('abort', onEnd, { once: true })
  if (signal.aborted) onEnd()
  screen.onFailure(chosen.reject)
  screen.refresh()
  try {
    return await chosen.promise
  } finally {
    clearInterval(timer)
    screen.close()
    stdin.off('data', onData).off('end', onEnd).pause()
    stdout.off('resize', screen.draw)
    signal.removeEventListener('abort', onEnd)
    process.off('exit', giveBack)
    giveBack()
  }
}

interface Screen {
  /** Asks for the table again, unless an answer is awaited, and draws it. */
  refresh(): void
  draw(): void
  /** What a key chooses; 'stay': nothing yet. */
  press(key: string): readonly string[] | undefined | 'stay'
  onFailure(fail: (error: unknown) => void): void
  close(): void
}

const steps: Readonly<Record<string, number>> = { '\u001b[A': -1, k: -1, '\u001b[B': 1, j: 1 }
const ends: ReadonlySet<string> = new Set(['q', '\u0003', '\u001b'])

function createScreen(live: LiveTable, view: LiveTableView): Screen {
  const { stdout } = view.streams
  let table: Table | undefined
  let selected = 0
  let asking = false
  let closed = false
  let fail: (error: unknown) => void = () => undefined
  const ask = async (): Promise<void> => {
    asking = true
    try {
      table = await live.read()
      draw()
    } catch (error) {
      fail(error)
    } finally {
      asking = false
    }
  }
  const draw = (): void => {
    if (closed) return
    selected = Math.max(0, Math.min(selected, (table?.rows.length ?? 0) - 1))
    const lines = renderScreen({ live, table, selected }, view)
    stdout.write(`${home}${lines.map((line) => `${line}${eraseLine}`).join('\r\n')}${eraseBelow}`)
  }
  return {
    draw,
    refresh() {
      draw()
      if (!asking) void ask()
    },
    press(key) {
      if (ends.has(key)) return undefined
      const step = steps[key]
      if (step !== undefined) {
        selected += step
        draw()
        return 'stay'
      }
      const name = table?.rows[selected]?.[0]
      const found = live.keys.find((each) => each.key === key || (key === '\r' && each.isDefault === true))
      return found === undefined || name === undefined ? 'stay' : found.next(name)
    },
    onFailure(given) {
      fail = given
    },
    close() {
      closed = true
    },
  }
}

interface Shown {
  readonly live: LiveTable
  readonly table: Table | undefined
  readonly selected: number
}

/** Exactly as many lines as fit; the selected one is always among them. */
function renderScreen(
  { live, table, selected }: Shown,
  { streams, style, sanitize }: LiveTableView,
): string[] {
  const { columns: width = 80, rows: height = 24 } = streams.stdout
  const keys = [...live.keys.map(({ key, label }) => `${key} ${label}`), 'q quit'].join('   ')
  const footer = ['', style.faint(truncateText(keys, width))]
  if (table === undefined) return ['…', ...footer]
  const rows = table.rows.map((row) => row.map((cell) => sanitize(cell)))
  const [header = '', ...lines] = renderTable({ ...table, rows }, { width: width - 2, style }).split('\n')
  const room = Math.max(1, height - footer.length - 1)
  const first = Math.max(0, Math.min(selected - room + 1, lines.length - room))
  const marked = lines.map((line, index) => (index === selected ? style.strong(`> ${line}`) : `  ${line}`))
  return [`  ${header}`, ...marked.slice(first, first + room), ...footer]
}
