import type { HolmEvent } from '@holm/core'
import type { Sanitize } from '../sanitize.ts'
import type { TerminalWritable } from '../streams.ts'
import { createLiveBlock } from './live-block.ts'
import { createSteps, type LabelOf } from './steps.ts'
import type { Style } from './style.ts'
import { formatDuration } from './units.ts'

export interface Progress {
  onEvent(event: HolmEvent): void
  /** Prints a line of holm's own between the steps, also with --quiet. */
  say(text: string): void
  /** A step is running: an interrupt has something to clean up. */
  isBusy(): boolean
  /** Leaves the terminal as it was; later events are still understood. */
  stop(): void
}

export interface ProgressOptions {
  readonly stream: TerminalWritable
  readonly style: Style
  /** Draws moving lines; otherwise one plain line for each finished step. */
  readonly live: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  readonly sanitize: Sanitize
  readonly now?: () => number
}

/** Finished steps faster than this are not worth a line on a terminal; the result lists their times. */
const noticeableMs = 150

/** Shows the typed events of an operation on stderr. */
export function createProgress(options: ProgressOptions): Progress {
  const { stream, style, live, quiet, verbose, sanitize, now = Date.now } = options
  const seen = new Set<string>()
  const labelOf: LabelOf = ({ environment, step }) =>
    sanitize(seen.size > 1 && environment !== '' ? `${environment}: ${step}` : step)
  const steps = createSteps(style, now, labelOf)
  const block = live && !quiet ? createLiveBlock(stream, () => steps.render(stream.columns ?? 80)) : undefined
  const print = (line: string): void => (block ? block.printAbove(line) : void stream.write(`${line}\n`))
  const printOutput = (text: string): void => {
    for (const line of text.replace(/\n$/, '').split('\n')) print(style.faint(`  | ${line}`))
  }
  const show = (event: HolmEvent): void => {
    if (event.type === 'output' && verbose) printOutput(sanitize(event.text))
    if (event.type === 'log') printOutput(`${event.level}: ${sanitize(event.message)}`)
    const line = renderEnd(event, { style, sanitize, labelOf })
    const isFast = event.type === 'step-done' && block !== undefined && event.elapsedMs < noticeableMs
    if (line !== undefined && (verbose || !isFast)) print(line)
    if (steps.isIdle()) block?.rest()
    else block?.start()
  }
  return {
    onEvent(event) {
      if (event.type === 'warning') return print(renderWarning(event, { style, sanitize }))
      if ('step' in event) seen.add(event.environment)
      steps.update(cleanEvent(event, sanitize))
      if (!quiet) show(event)
    },
    say: (text) => print(style.caution(text)),
    isBusy: () => !steps.isIdle(),
    stop: () => block?.stop(),
  }
}

interface EventView {
  readonly style: Style
  readonly sanitize: Sanitize
  readonly labelOf: LabelOf
}

function renderWarning(
  event: Extract<HolmEvent, { type: 'warning' }>,
  { style, sanitize }: Omit<EventView, 'labelOf'>,
): string {
  const hint = event.hint === undefined ? '' : `\n${style.accent('hint')}: ${sanitize(event.hint)}`
  // Most warnings about a plugin name it in their own words.
  const plugin =
    event.plugin === undefined || names(event.message, event.plugin) ? '' : `${sanitize(event.plugin)}: `
  return `${style.caution('warning')}: ${plugin}${sanitize(event.message)}${hint}`
}

function names(message: string, plugin: string): boolean {
  const literal = plugin.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
  return new RegExp(String.raw`(?<![\w@/.-])${literal}(?![\w/-])`).test(message)
}

/** The line that stays when a step has ended; undefined for every other event. */
function renderEnd(event: HolmEvent, { style, sanitize, labelOf }: EventView): string | undefined {
  if (event.type === 'step-done') {
    const note = event.skipped === undefined ? formatDuration(event.elapsedMs) : sanitize(event.skipped)
    return `${style.good('ok')}   ${labelOf(event)} ${style.faint(`(${note})`)}`
  }
  if (event.type === 'step-failed') {
    const time = style.faint(`(${formatDuration(event.elapsedMs)})`)
    return `${style.bad('fail')} ${labelOf(event)} ${time}`
  }
  return undefined
}

function cleanEvent(event: HolmEvent, sanitize: Sanitize): HolmEvent {
  if (event.type === 'output') return { ...event, step: sanitize(event.step), text: sanitize(event.text) }
  if (event.type !== 'progress') return event
  return { ...event, step: sanitize(event.step), message: sanitize(event.message) }
}
