import { runCli } from './cli.ts'
import { openHost } from './host.ts'
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

/** Runs holm as this process: its arguments, streams, signals and exit code. */
export async function main(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', endOnClosedPipe)
  const code = await runCli({
    argv: process.argv.slice(2),
    cwd: process.cwd(),
    env: process.env,
    streams,
    openHost,
    sanitize,
    signals: process,
    exit: (exitCode) => process.exit(exitCode),
  })
  // A socket or timer that a plugin left open must not keep the command alive.
  process.exit(code)
}

/** Nobody reads any more (`holm list | head -1`): Node reports it as an error, the rest of holm knows it as a signal. */
function endOnClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  process.emit('SIGPIPE', 'SIGPIPE')
}
