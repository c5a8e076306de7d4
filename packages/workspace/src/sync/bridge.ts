import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished, pipeline } from 'node:stream/promises'
import { HolmError } from '@holm/core'
import type { Process } from '@holm/core'

/** Lets programs of this machine that want a remote shell reach into an environment through this very process. */
export interface Bridge {
  /** Of this process alone; goes with the bridge. */
  readonly folder: string
  /** Program and first arguments; further ones arrive at `open`. */
  readonly argv: readonly string[]
  /** The last lines that programs inside wrote to stderr. */
  said(): string
  close(): void
}

/** Copies its streams to the socket and back; its arguments go first, as a line of JSON. */
const relay = `'use strict'
const [, , path, ...words] = process.argv
const socket = require('node:net').connect({ path, allowHalfOpen: true }, () => {
  socket.write(JSON.stringify(words) + '\\n')
  process.stdin.pipe(socket)
})
const end = () => process.exit(0)
// rsync keeps its end open until this one is gone.
socket.on('end', () => process.stdout.end(end))
socket.pipe(process.stdout, { end: false })
socket.on('error', () => process.exit(1))
socket.on('close', end)
process.stdout.on('error', end)
process.stdin.on('error', end)
`

/** Longest name that a socket can have on every system, without what follows the folder. */
const longest = 80

export async function openBridge(open: (words: readonly string[]) => Promise<Process>): Promise<Bridge> {
  const parent = [tmpdir(), '/tmp'].find((each) => each.length < longest)
  if (parent === undefined) throw new HolmError('HOLM_BUG', 'no temporary folder has a short name')
  const folder = mkdtempSync(join(parent, 'holm-sync-'))
  let said = ''
  const hear = (text: string): void => void (said = (said + text).slice(-2000))
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    serve(socket, open, hear).catch((error: unknown) => {
      hear(`${(error as Error).message}\n`)
      socket.destroy()
    })
  })
  const path = join(folder, 's')
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
    writeFileSync(join(folder, 'relay.cjs'), relay, { mode: 0o600 })
    chmodSync(path, 0o600)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
  return {
    folder,
    argv: [process.execPath, join(folder, 'relay.cjs'), path],
    said: () => said,
    close() {
      server.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function serve(
  socket: Socket,
  open: (words: readonly string[]) => Promise<Process>,
  hear: (text: string) => void,
): Promise<void> {
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  // A connection that breaks is an end like any other: what matters is what the program on this side says.
  socket.on('error', () => undefined)
  const words = await readWords(socket)
  const inside = await open(words)
  inside.stderr.on('data', (data: Buffer) => hear(data.toString()))
  inside.stderr.on('error', () => undefined)
  const through = (work: Promise<void>): Promise<void> => work.catch(() => undefined)
  if (inside.stdin) void through(pipeline(socket, inside.stdin))
  inside.stdout.pipe(socket, { end: false })
  // It is over when the program has ended and all that it said is handed on, whoever still has an end open.
  const done = Promise.all([through(finished(inside.stdout)), inside.exited.catch(() => undefined)])
  await Promise.race([ended, done])
  socket.destroySoon()
  await inside.kill('SIGTERM').catch(() => undefined)
}

/** The first line; what follows it stays in the stream. */
async function readWords(socket: Socket): Promise<readonly string[]> {
  let line = Buffer.alloc(0)
  while (true) {
    const part = socket.read() as Buffer | null
    if (part === null) {
      await new Promise<void>((resolve, reject) => {
        socket.once('readable', resolve)
        socket.once('close', () => reject(new HolmError('HOLM_INTERRUPTED', 'a connection was closed early')))
      })
      continue
    }
    line = Buffer.concat([line, part])
    const end = line.indexOf(10)
    if (end === -1) continue
    if (end + 1 < line.length) socket.unshift(line.subarray(end + 1))
    return JSON.parse(line.subarray(0, end).toString()) as readonly string[]
  }
}
