import type { TerminalWritable } from '../streams.ts'

/** A few lines at the bottom of the terminal that are redrawn in place. */
export interface LiveBlock {
  start(): void
  /** Erases the lines until something moves again. */
  rest(): void
  /** A line that stays, above the moving ones. */
  printAbove(line: string): void
  /** Erases the lines and gives the cursor back. */
  stop(): void
}

const frameMs = 80
const hideCursor = '\u001b[?25l'
const showCursor = '\u001b[?25h'
const eraseToEnd = '\u001b[0J'

/**
 * `render` gives the lines of the next frame, none longer than the terminal is wide. The first frame comes one tick
 * after `start`, so that what is over at once never flashes; every frame is one write, so that nothing flickers.
 */
export function createLiveBlock(stream: TerminalWritable, render: () => readonly string[]): LiveBlock {
  let timer: NodeJS.Timeout | undefined
  let drawn = 0
  let cursorHidden = false
  const giveCursorBack = (): void => void stream.write(showCursor)
  const erase = (): string => (drawn === 0 ? '\r' : `\r\u001b[${drawn}A${eraseToEnd}`)
  const draw = (above = ''): void => {
    const lines = render()
    const hide = cursorHidden ? '' : hideCursor
    if (!cursorHidden) process.once('exit', giveCursorBack)
    cursorHidden = true
    stream.write(`${hide}${erase()}${above}${lines.map((line) => `${line}\n`).join('')}`)
    drawn = lines.length
  }
  const stopTimer = (): void => {
    clearInterval(timer)
    timer = undefined
  }
  const clear = (): void => {
    stopTimer()
    if (!cursorHidden) return
    stream.write(`${erase()}${showCursor}`)
    process.off('exit', giveCursorBack)
    cursorHidden = false
    drawn = 0
  }
  return {
    start() {
      timer ??= setInterval(draw, frameMs).unref()
    },
    rest: clear,
    printAbove(line) {
      if (drawn > 0) draw(`${line}\n`)
      else stream.write(`${line}\n`)
    },
    stop: clear,
  }
}
