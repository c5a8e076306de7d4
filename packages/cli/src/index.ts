import { EventEmitter } from 'node:events'
import { existsSync, readlinkSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import * as contract from '@holm/core'
import { runCli } from './cli.ts'
import { explainEscape, openHost } from './host.ts'
import { handledSignals } from './interrupts.ts'
import type { ScriptLoader } from './kept-code.ts'
import { leave } from './leave.ts'
import { sanitize } from './sanitize.ts'
import type { Streams } from './streams.ts'

/** Node makes a stream, and loads what it needs for that, when it is first asked for it. */
const streams: Streams = {
  get stdin() {
    return process.stdin
  },
  get stdout() {
    return process.stdout
  },
  get stderr() {
    return process.stderr
  },
}

const usageErrorCode = 2

export type Main = typeof main

/**
 * Runs holm as this process: its arguments, streams, signals and exit code.
 *
 * @param scripts loads plugins that are built as scripts, and keeps their code at the end of a run; how much it did is
 * the number of its events
 */
export async function main(scripts: ScriptLoader): Promise<void> {
  let events = 0
  const code = await runCli({
    argv: process.argv.slice(2),
    cwd: currentFolder(),
    env: process.env,
    streams,
    openHost: ({ onEvent, ...options }) =>
      openHost({
        ...options,
        importBundled: (entry) => importBundled(scripts, entry),
        onEvent: (event) => {
          events += 1
          onEvent(event)
        },
      }),
    sanitize,
    signals: createSignals(),
    exit: leave,
  })
  // A socket or timer that a plugin left open must not keep the command alive.
  leave(code, () => {
    // What was mistyped is no purpose to keep code for.
    if (code !== usageErrorCode) scripts.keep(events)
  })
}

/** A plugin that is built as a script as well gets the contract of this very bundle. */
async function importBundled(scripts: ScriptLoader, entry: string): Promise<{ readonly default?: unknown }> {
  const script = entry.replace(/\.js$/, '.cjs')
  if (!existsSync(script)) return (await import(pathToFileURL(entry).href)) as { readonly default?: unknown }
  return scripts.load(script, { '@holm/core': contract }) as { readonly default?: unknown }
}

/** A folder that was removed under the shell: the kernel still knows its name, and what needs the folder says that it is gone. */
function currentFolder(): string {
  try {
    return process.cwd()
  } catch {
    return process.platform === 'linux' ? readlinkSync('/proc/self/cwd') : process.env['PWD'] || '/'
  }
}

/**
 * Passes the signals of this process on. A closed pipe (`holm list | head -1`) is an error of the stream in Node, not a
 * signal: taking and leaving SIGPIPE itself would make the next write kill the process.
 */
function createSignals(): EventEmitter {
  const signals = new EventEmitter()
  // What a plugin lets escape after its call was over: the command is ended as by Ctrl-C, and says whose fault it was.
  for (const event of ['uncaughtException', 'unhandledRejection'])
    process.on(event, (error: unknown) => signals.emit('escaped', explainEscape(error)))
  for (const signal of handledSignals) process.on(signal, () => signals.emit(signal, signal))
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      signals.emit('SIGPIPE', 'SIGPIPE')
    })
  }
  return signals
}
