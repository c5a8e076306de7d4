import { open } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { HolmError } from '@holm/core'
import { fileNames } from './argv.ts'

/** A conversation with QEMU itself. */
export interface Qmp {
  run<T = unknown>(command: string, words?: Readonly<Record<string, unknown>>): Promise<T>
  /** A command of the monitor for people; returns what it prints. */
  monitor(line: string): Promise<string>
}

interface Answer {
  readonly QMP?: unknown
  readonly return?: unknown
  readonly error?: { readonly class: string; readonly desc: string }
  readonly id?: number
}

const deadlineMs = 30_000

/**
 * Talks to the machine whose files are in `folder`. QEMU listens to one at a time: others wait, at most until the deadline.
 * The folder is opened first, for a path to a socket may not be long.
 */
export async function withQmp<T>(folder: string, action: (qmp: Qmp) => Promise<T>): Promise<T> {
  const handle = await open(folder)
  try {
    const socket = await connectTo(path.join('/proc/self/fd', String(handle.fd), fileNames.control))
    try {
      return await action(await greet(socket))
    } finally {
      socket.destroy()
    }
  } finally {
    await handle.close()
  }
}

function connectTo(file: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(file)
    socket.once('connect', () => resolve(socket))
    socket.once('error', (cause) =>
      reject(
        new HolmError('HOLM_ENVIRONMENT_FAILED', 'QEMU does not answer on its control socket', { cause }),
      ),
    )
  })
}

async function greet(socket: Socket): Promise<Qmp> {
  const waiting = new Map<number, (answer: Answer) => void>()
  let count = 0
  const lines = createInterface({ input: socket })
  // It passes on what the socket says, and that is heard below.
  lines.on('error', () => undefined)
  const ended = new Promise<Answer>((resolve) =>
    socket.once('close', () => resolve({ error: { class: 'Ended', desc: 'QEMU ended' } })),
  )
  socket.on('error', () => socket.destroy())
  const greeted = new Promise<Answer>((resolve) => waiting.set(0, resolve))
  lines.on('line', (line) => {
    const answer = parseAnswer(line)
    // Events are not asked for, and have no id.
    const key = answer?.QMP === undefined ? answer?.id : 0
    if (answer === undefined || key === undefined) return
    waiting.get(key)?.(answer)
    waiting.delete(key)
  })
  const run = async <T>(command: string, words: Readonly<Record<string, unknown>> = {}): Promise<T> => {
    count += 1
    const id = count
    const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve))
    socket.write(`${JSON.stringify({ execute: command, arguments: words, id })}\n`)
    const answer = await within(Promise.race([answered, ended]), command)
    if (answer.error === undefined) return answer.return as T
    throw new HolmError('HOLM_ENVIRONMENT_FAILED', `QEMU refuses ${command}: ${answer.error.desc}`, {
      details: { command, class: answer.error.class },
    })
  }
  const hello = await within(Promise.race([greeted, ended]), 'its greeting')
  if (hello.error) throw new HolmError('HOLM_ENVIRONMENT_FAILED', hello.error.desc)
  await run('qmp_capabilities')
  return { run, monitor: (line) => run<string>('human-monitor-command', { 'command-line': line }) }
}

function parseAnswer(line: string): Answer | undefined {
  try {
    return JSON.parse(line) as Answer
  } catch {
    return undefined
  }
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new HolmError('HOLM_TIMEOUT', `QEMU did not answer in ${deadlineMs / 1000} s: ${what}`)),
      deadlineMs,
    )
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

export interface Forward {
  readonly network: string
  readonly protocol: 'tcp' | 'udp'
  readonly hostIp: string
  readonly host: number
  readonly container: number
}

/** The published ports in what `info usernet` prints. */
export function parseUsernet(text: string): Forward[] {
  let network = ''
  return text.split(/\r?\n/).flatMap((line) => {
    const heading = /^Hub .*\((\S+)\)|^\s*(\S+):\s*$/.exec(line)
    if (heading) {
      network = heading[1] ?? heading[2] ?? ''
      return []
    }
    const found = /^\s*(TCP|UDP)\[HOST_FORWARD\]\s+\d+\s+(\S+)\s+(\d+)\s+\S+\s+(\d+)/.exec(line)
    if (!found) return []
    const [, protocol = '', hostIp = '', host, container] = found
    return [
      {
        network,
        protocol: protocol === 'TCP' ? ('tcp' as const) : ('udp' as const),
        hostIp: hostIp === '*' ? '0.0.0.0' : hostIp,
        host: Number(host),
        container: Number(container),
      },
    ]
  })
}
