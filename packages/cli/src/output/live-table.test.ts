import { PassThrough } from 'node:stream'
import type { LiveTable } from '@holm/core'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createSink, type Sink } from '../../test/run-holm.ts'
import { runLiveTable } from '../live.ts'
import { showLiveTable, type LiveTableView } from './live-table.ts'
import { createStyle } from './style.ts'

const keys: LiveTable['keys'] = [
  { key: 'e', label: 'enter', isDefault: true, next: (name) => ['workspace', 'shell', name] },
  { key: 's', label: 'stop', next: (name) => ['stop', name] },
]
const table = (names: readonly string[]): LiveTable => ({
  intervalMs: 20,
  keys,
  read: async () => ({ columns: ['name', 'status'], rows: names.map((name) => [name, `of\u001b ${name}`]) }),
})

function open(rows = 24) {
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true as const,
    setRawMode: vi.fn<(raw: boolean) => never>(),
  })
  const stdout: Sink = Object.assign(createSink(40), { rows })
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  const view: LiveTableView = {
    streams: { stdin, stdout, stderr: createSink(40) },
    style: createStyle(false),
    sanitize: (text) => text.replaceAll('\u001b', '?'),
    signal: controller.signal,
  }
  const seen = (text: string) => expect.poll(() => stdout.text(), { timeout: 30_000 }).toContain(text)
  return { stdin, stdout, controller, view, seen }
}

const restored = (text: string): boolean => text.endsWith('\u001b[?25h\u001b[?1049l')

it('shows the rows, chooses one with the keys, and gives the terminal back', async () => {
  const { stdin, stdout, view, seen } = open()
  const shown = showLiveTable(table(['one', 'two']), view)
  await seen('> one')
  await seen('of? two')
  expect(stdout.text()).not.toContain('of\u001b')
  stdin.write('\u001b[B')
  await seen('> two')
  stdin.write('s')
  await expect(shown).resolves.toEqual(['stop', 'two'])
  expect(restored(stdout.text())).toBe(true)
  expect(stdin.setRawMode.mock.calls).toEqual([[true], [false]])
})

it.each(['q', '\u0003', '\u001b'])('ends with %j', async (key) => {
  const { stdin, stdout, view, seen } = open()
  const shown = showLiveTable(table([]), view)
  await seen('q quit')
  stdin.write('e')
  stdin.write(key)
  await expect(shown).resolves.toBeUndefined()
  expect(restored(stdout.text())).toBe(true)
})

it('ends with a signal, and with what cannot be read, and gives the terminal back then, too', async () => {
  const first = open()
  const shown = showLiveTable(table(['one']), first.view)
  await first.seen('> one')
  first.controller.abort()
  await expect(shown).resolves.toBeUndefined()
  const second = open()
  const broken = { ...table([]), read: () => Promise.reject(new Error('lost')) }
  await expect(showLiveTable(broken, second.view)).rejects.toThrow('lost')
  for (const { stdout } of [first, second]) expect(restored(stdout.text())).toBe(true)
})

it('keeps the chosen row in sight when there are more than fit, and follows the size', async () => {
  const { stdin, stdout, view, seen } = open(6)
  const shown = showLiveTable(table(Array.from({ length: 20 }, (_, index) => `row-${index}`)), view)
  await seen('> row-0')
  expect(stdout.text()).not.toContain('row-5')
  for (let count = 0; count < 9; count += 1) stdin.write('j')
  await seen('> row-9')
  stdout.rows = 30
  stdout.emit('resize')
  await seen('row-19')
  stdin.write('q')
  await shown
})

it('comes back after what a key asked for, whose failure is told', async () => {
  const { stdin, view, seen, stdout } = open()
  const lines: (readonly string[])[] = []
  const told: unknown[] = []
  const run = runLiveTable(table(['one']), {
    ...view,
    runLine: (argv) => {
      lines.push(argv)
      return argv[0] === 'stop' ? Promise.reject(new Error('busy')) : Promise.resolve(0)
    },
    report: (error) => void told.push(error),
  })
  await seen('> one')
  stdin.write('\r')
  await expect.poll(() => lines, { timeout: 30_000 }).toEqual([['workspace', 'shell', 'one']])
  await expect.poll(() => stdout.text().split('\u001b[?1049h').length, { timeout: 30_000 }).toBe(3)
  await expect.poll(() => stdout.text().split('\u001b[?1049h').at(-1), { timeout: 30_000 }).toContain('> one')
  stdin.write('s')
  await seen('any key goes back')
  expect(told).toEqual([new Error('busy')])
  stdin.write(' ')
  await expect.poll(() => stdout.text().split('\u001b[?1049h').length, { timeout: 30_000 }).toBe(4)
  stdin.write('q')
  await expect(run).resolves.toBe(0)
})
