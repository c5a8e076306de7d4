import { connect, type Socket } from 'node:net'
import { HolmError } from '@holm/core'
import { hex } from './guest-config.ts'

/** Reads the frames that arrive: a letter, a length, and that many bytes. */
export interface FrameReader {
  push(data: Buffer): void
  next(): Frame | undefined
}

export interface Frame {
  readonly type: string
  readonly data: Buffer
}

export function createFrameReader(): FrameReader {
  let parts: Buffer[] = []
  let size = 0
  const joined = (): Buffer => {
    if (parts.length !== 1) parts = [Buffer.concat(parts)]
    return parts[0] as Buffer
  }
  return {
    push: (data) => {
      parts.push(data)
      size += data.length
    },
    next: () => {
      if (size < 5) return undefined
      const all = joined()
      const length = all.readUInt32BE(1)
      if (size < 5 + length) return undefined
      parts = [all.subarray(5 + length)]
      size -= 5 + length
      return { type: String.fromCodePoint(all[0] ?? 0), data: all.subarray(5, 5 + length) }
    },
  }
}

export function encodeFrame(type: string, data: Uint8Array | string = ''): Buffer {
  const body = Buffer.from(data)
  const head = Buffer.alloc(5)
  head.write(type, 0, 'latin1')
  head.writeUInt32BE(body.length, 1)
  return Buffer.concat([head, body])
}

export type RequestWords = Readonly<Record<string, string | number | readonly string[] | undefined>>

/** The first frame of a connection: what is asked for, as words with hexadecimal values. */
export function encodeRequest(op: string, token: string, words: RequestWords = {}): Buffer {
  const lines = Object.entries({ token, op, ...words }).flatMap(([key, value]) => {
    if (value === undefined) return []
    const values = typeof value === 'object' ? value : [value]
    return values.map((each) => `${key} ${hex(each)}`)
  })
  return encodeFrame('Q', lines.join('\n'))
}

export interface AgentAddress {
  readonly port: number
  readonly token: string
}

/** Opens a connection. QEMU accepts at once, whether or not anybody inside listens: an answer is the only proof. */
export function connectAgent({ port }: AgentAddress): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.once('connect', () => resolve(socket))
    socket.once('error', (cause) => reject(lost(cause)))
  })
}

export function lost(cause?: unknown): HolmError {
  return new HolmError('HOLM_ENVIRONMENT_FAILED', 'the connection into the machine was lost', {
    hint: 'Look at `holm status` and `holm logs`.',
    ...(cause === undefined ? {} : { cause }),
  })
}

/** Asks for something short; returns the answer. HOLM_TIMEOUT names it when none comes. */
export async function askAgent(
  address: AgentAddress,
  op: string,
  options: { readonly words?: RequestWords; readonly timeoutMs?: number } = {},
): Promise<Buffer> {
  const { words = {}, timeoutMs = 10_000 } = options
  const socket = await connectAgent(address)
  const reader = createFrameReader()
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(new HolmError('HOLM_TIMEOUT', `the machine did not answer in ${timeoutMs / 1000} s: ${op}`)),
        timeoutMs,
      )
      socket.on('data', (data) => {
        reader.push(data)
        const frame = reader.next()
        if (frame === undefined) return
        clearTimeout(timer)
        if (frame.type === 'O') resolve(frame.data)
        else reject(refusal(frame))
      })
      socket.once('close', () => {
        clearTimeout(timer)
        reject(lost())
      })
      socket.on('error', () => socket.destroy())
      socket.write(encodeRequest(op, address.token, words))
    })
  } finally {
    socket.destroy()
  }
}

/** The error that a frame of the type F stands for. */
export function refusal({ data }: Frame): HolmError {
  const text = data.toString()
  if (text.startsWith('USAGE ')) {
    return new HolmError('HOLM_USAGE', text.slice(6), { hint: 'Name one that exists inside.' })
  }
  return new HolmError('HOLM_ENVIRONMENT_FAILED', `the machine refuses: ${text}`)
}
