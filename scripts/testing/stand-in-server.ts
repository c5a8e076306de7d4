/**
 * Stand-ins for a runtime's tool are called thousands of times, and a Node of their own takes each call sixty times as long as
 * what it does. So the program is a script of bash, which asks a server that lives as long as the test for the rest of itself.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import path from 'node:path'

/** A process that is the tool, as the kernel knows it. */
export interface Call {
  readonly pid: number
  /** Without the name of the program. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Whether its stdin is a terminal. */
  readonly terminal: boolean
}

/** What the process runs as a script from there on; undefined when it takes a Node of its own. */
export type Answer = (call: Call) => string | undefined | Promise<string | undefined>

/** The port, and the server's process: one that was killed leaves the file. */
const portFile = 'stand-in-port'

/** Beginning of the program, for the shell: the rest is the server's, or, without an answer, what is written below it. */
export function askingScript(folder: string): string {
  return `#!/bin/bash
if { read -r port pid <${folder}/${portFile} && [ -d "/proc/$pid" ] && exec 9<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; then
  [ -t 0 ]
  echo "$$ $?" >&9
  IFS= read -r -d '' answer <&9
  exec 9>&-
  eval "$answer"
fi
`
}

/** Starts `server`, which calls `serveCalls`. It ends with this process at the latest; returns what ends it now. */
export function startServer(server: string, env: NodeJS.ProcessEnv): () => void {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', server], {
    cwd: '/',
    env,
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  // Nobody waits for it, also where it could not be started: calls then take a Node of their own.
  child.on('error', () => undefined)
  child.stdin.on('error', () => undefined)
  child.unref()
  ;(child.stdin as Socket).unref()
  return () => child.kill('SIGKILL')
}

/** Answers calls until stdin ends. Where it listens is told in `folder`. */
export function serveCalls(folder: string, answer: Answer): void {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    void reply(socket, answer)
  })
  server.listen(0, '127.0.0.1', () => {
    const file = path.join(folder, portFile)
    writeFileSync(`${file}.new`, `${(server.address() as AddressInfo).port} ${process.pid}\n`)
    renameSync(`${file}.new`, file)
  })
  process.stdin.on('end', () => process.exit(0)).resume()
}

async function reply(socket: Socket, answer: Answer): Promise<void> {
  try {
    const [line] = (await once(socket, 'data')) as [Buffer]
    const [pid, noTerminal] = line.toString().split(' ').map(Number)
    const call = callOf(pid ?? 0, noTerminal === 0)
    socket.end(`${(await answer(call)) ?? ''}\0`)
  } catch (error) {
    socket.end(`echo ${quoteWord(String(error))} >&2; exit 70\0`)
  }
}

function callOf(pid: number, terminal: boolean): Call {
  const list = (file: string): string[] =>
    readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0').slice(0, -1)
  return {
    pid,
    // bash, its script, and what the script was given.
    argv: list('cmdline').slice(2),
    env: Object.fromEntries(
      list('environ').map((each) => [each.split('=', 1)[0] ?? '', each.slice(each.indexOf('=') + 1)]),
    ),
    terminal,
  }
}

export function quoteWord(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`
}

/** Writes bytes to a descriptor of the process. */
export function writing(bytes: Uint8Array, descriptor = 1): string {
  if (bytes.length === 0) return ''
  const format = [...bytes].map((byte) => {
    const character = String.fromCharCode(byte)
    return /[\w /.:,{}[\]"=-]/.test(character) ? character : `\\${byte.toString(8).padStart(3, '0')}`
  })
  return `printf -- '${format.join('')}' >&${descriptor}\n`
}
