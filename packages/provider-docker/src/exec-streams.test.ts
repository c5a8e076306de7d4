import { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { execStreams } from './exec-streams.ts'

function connection(): { socket: Duplex; send: (data: string | null) => void; received: string[] } {
  const received: string[] = []
  const socket = new Duplex({
    read() {},
    write: (chunk, _encoding, done) => {
      received.push(String(chunk))
      done()
    },
    final: (done) => {
      received.push('<end>')
      done()
    },
  })
  return { socket, received, send: (data) => void socket.push(data) }
}

describe('execStreams', () => {
  it('delivers at once what is no message of the engine, however short', async () => {
    const { socket, send } = connection()
    const streams = execStreams(socket, { raw: true, stdin: false })
    send('O')
    const [first] = await new Promise<string[]>((resolve) =>
      streams.stdout.once('data', (chunk) => resolve([String(chunk)])),
    )
    expect(first).toBe('O')
    send(null)
    await streams.ended
    await streams.finish()
  })

  it('keeps back what looks like one, and gives it out when it was the program’s', async () => {
    const { socket, send } = connection()
    const streams = execStreams(socket, { raw: true, stdin: false })
    send('OCI runtime exec failed: just kidding')
    send(null)
    await streams.ended
    expect(streams.held()).toBe('OCI runtime exec failed: just kidding')
    const out = text(streams.stdout)
    await streams.finish()
    expect(await out).toBe('OCI runtime exec failed: just kidding')
  })

  it('ends the program’s input, and drops what comes after its end', async () => {
    const { socket, received } = connection()
    const { stdin } = execStreams(socket, { raw: false, stdin: true })
    stdin?.write('a')
    await new Promise<void>((resolve) => stdin?.end(resolve))
    expect(received).toEqual(['a', '<end>'])
    const late = connection()
    const other = execStreams(late.socket, { raw: false, stdin: true })
    late.socket.destroy()
    await new Promise<void>((resolve) => other.stdin?.end('late', resolve))
    expect(late.received).toEqual([])
  })

  it('reads no further while nobody consumes', async () => {
    const { socket } = connection()
    const streams = execStreams(socket, { raw: true, stdin: false })
    const chunk = 'x'.repeat(1 << 16)
    let pushed = 0
    while (socket.push(chunk) && pushed < 1000) pushed++
    await new Promise((resolve) => setImmediate(resolve))
    while (socket.push(chunk) && pushed < 1000) pushed++
    expect(pushed).toBeLessThan(10)
    socket.push(null)
    const all = text(streams.stdout)
    await streams.ended
    await streams.finish()
    expect((await all).length).toBeGreaterThan(pushed * chunk.length)
  })
})
