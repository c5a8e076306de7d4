import type { HolmEvent } from '@holm/core'
import type { Style } from './style.ts'
import { formatBytes, formatDuration } from './units.ts'
import { truncateText } from './width.ts'

/** The steps that run now, as the events tell. */
export interface Steps {
  update(event: HolmEvent): void
  isIdle(): boolean
  /** One line for each running step, plus the last line of its output. */
  render(width: number): string[]
}

interface RunningStep {
  readonly environment: string
  readonly step: string
  readonly since: number
  message: string
  output: string
  /** Parts of the step, such as the layers of an image. */
  readonly items: Map<
    string,
    { readonly current: number; readonly total: number; readonly unit: 'bytes' | 'items' }
  >
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const barWidth = 20

/** Names the environment, where a command works on several. */
export type LabelOf = (event: { readonly environment: string; readonly step: string }) => string

export function createSteps(style: Style, now: () => number, labelOf: LabelOf): Steps {
  const running = new Map<string, RunningStep>()
  return {
    update: (event) => updateSteps(running, event, now()),
    isIdle: () => running.size === 0,
    render(width) {
      const frame = style.accent(frames[Math.floor(now() / 80) % frames.length] ?? '')
      return [...running.values()].flatMap((step) => {
        const elapsed = formatDuration(now() - step.since)
        const text = [labelOf(step), elapsed, renderItems(step), step.message]
          .filter((part) => part !== '')
          .join('  ')
        const line = `${frame} ${truncateText(text, width - 3)}`
        return step.output === '' ? [line] : [line, style.faint(truncateText(`  ${step.output}`, width - 1))]
      })
    },
  }
}

function updateSteps(running: Map<string, RunningStep>, event: HolmEvent, now: number): void {
  if (!('step' in event)) return
  const key = `${event.environment}/${event.step}`
  if (event.type === 'step-done' || event.type === 'step-failed') {
    running.delete(key)
    return
  }
  const known = running.get(key)
  const step = known ?? {
    environment: event.environment,
    step: event.step,
    since: now,
    message: '',
    output: '',
    items: new Map(),
  }
  if (!known) running.set(key, step)
  if (event.type === 'output') step.output = event.text.trimEnd().split('\n').at(-1)?.trim() ?? ''
  if (event.type === 'progress') updateProgress(step, event)
}

function updateProgress(step: RunningStep, event: Extract<HolmEvent, { type: 'progress' }>): void {
  const { message, item = '', current, total, unit = 'items' } = event
  step.message = message
  if (current !== undefined && total !== undefined && total > 0)
    step.items.set(item, { current, total, unit })
}

/** `[######--------------] 31 % 12.3 MiB of 40.0 MiB` over all parts of a step that tell their size. */
function renderItems({ items }: RunningStep): string {
  const parts = [...items.values()]
  const unit = parts[0]?.unit
  if (unit === undefined) return ''
  const counted = parts.filter((part) => part.unit === unit)
  const total = counted.reduce((sum, part) => sum + part.total, 0)
  const current = counted.reduce((sum, part) => sum + Math.min(part.current, part.total), 0)
  const share = current / total
  const filled = Math.round(share * barWidth)
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}]`
  const amount =
    unit === 'bytes' ? `${formatBytes(current)} of ${formatBytes(total)}` : `${current} of ${total}`
  return `${bar} ${Math.floor(share * 100)} % ${amount}`
}
