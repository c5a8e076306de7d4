import { runCli } from './cli.ts'
import { openHost } from './host.ts'
import { sanitize } from './sanitize.ts'

/** Runs holm as this process: its arguments, streams, signals and exit code. */
export async function main(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', endOnClosedPipe)
  const code = await runCli({
    argv: process.argv.slice(2),
    cwd: process.cwd(),
    env: process.env,
    streams: { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr },
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
