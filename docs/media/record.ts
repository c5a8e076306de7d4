// Records the picture of the README: types commands into a real terminal, and draws what it shows at the end.
// Needs tmux and a built CLI. `node docs/media/record.ts`
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root } from '../../scripts/root.ts'
import { renderTerminal } from './render.ts'

const columns = 92
const commands = ['tail -n 4 holm.yaml', 'holm up', 'holm exec -- ./hello.sh', 'holm list', 'holm destroy']
const answers: Readonly<Record<string, string>> = { 'holm destroy': 'y' }
const prompt = '\u001b[1;32m$\u001b[0m '

/** A tmux server of our own, with nothing of the user's configuration. */
function createTerminal(home: string): { run(...args: string[]): string } {
  const socket = join(home, 'tmux')
  return {
    run: (...args) => execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], { encoding: 'utf8' }),
  }
}

async function record(home: string): Promise<string> {
  const tmux = createTerminal(home)
  const env = [
    `HOLM_HOME=${join(home, 'home')}`,
    'HOLM_NAMESPACE=holm-recording',
    `PATH=${join(root, 'bin')}:${process.env['PATH']}`,
  ]
  const project = join(home, 'hello')
  cpSync(join(root, 'examples', 'hello'), project, { recursive: true })
  const shell = ['env', '-u', 'NO_COLOR', '-u', 'CI', ...env, `PS1=${prompt}`, 'sh']
  tmux.run('new-session', '-d', '-s', 'record', '-x', String(columns), '-y', '60', '-c', project, ...shell)
  try {
    await untilIdle(tmux)
    for (const command of commands) await type(tmux, command)
    const screen = tmux.run('capture-pane', '-e', '-p', '-t', 'record')
    // Without the prompt that waits for a next command.
    return screen.trimEnd().split('\n').slice(0, -1).join('\n')
  } finally {
    tmux.run('kill-server')
  }
}

async function type(tmux: ReturnType<typeof createTerminal>, command: string): Promise<void> {
  tmux.run('send-keys', '-t', 'record', '-l', command)
  tmux.run('send-keys', '-t', 'record', 'Enter')
  const answer = answers[command]
  if (answer !== undefined) {
    await until(tmux, (screen) => /\?[^\n]*$/.test(screen), `${command} asks`)
    tmux.run('send-keys', '-t', 'record', answer, 'Enter')
  }
  await untilIdle(tmux)
}

/** The prompt stands alone on the last line. */
async function untilIdle(tmux: ReturnType<typeof createTerminal>): Promise<void> {
  await until(tmux, (screen) => /(?:^|\n)\$\s*$/.test(screen), 'the prompt')
}

async function until(
  tmux: ReturnType<typeof createTerminal>,
  isThere: (screen: string) => boolean,
  what: string,
): Promise<void> {
  const deadline = Date.now() + 60_000
  for (;;) {
    // The terminal answers at once, a typed key may still be on its way.
    await sleep(150)
    const screen = tmux.run('capture-pane', '-p', '-t', 'record').trimEnd()
    if (isThere(screen)) return
    if (Date.now() > deadline) throw new Error(`${what} did not come:\n${screen}`)
  }
}

const home = mkdtempSync(join(tmpdir(), 'holm-record-'))
try {
  const screen = await record(home)
  const title = 'holm up, exec, list and destroy in a terminal'
  writeFileSync(join(root, 'docs', 'media', 'first-minute.svg'), renderTerminal(screen, { columns, title }))
  process.stdout.write(`${screen}\n`)
} finally {
  rmSync(home, { recursive: true, force: true })
}
