import { describe, expect, it } from 'vitest'
import { createMarked, splitAtMark } from './marker.ts'

describe('splitAtMark', () => {
  it('waits for the whole line', () => {
    expect(splitAtMark(Buffer.from('noise'), 'mark')).toBeUndefined()
    expect(splitAtMark(Buffer.from('noise\nmark 12'), 'mark')).toBeUndefined()
  })

  it('takes a terminal’s line end, too', () => {
    expect(splitAtMark(Buffer.from('noise mark 12\r\nrest'), 'mark')).toEqual({
      words: '12',
      rest: Buffer.from('rest'),
    })
  })
})

describe('createMarked', () => {
  it('passes on what follows, in whatever pieces it comes', async () => {
    const marked = createMarked('mark')
    const chunks: Buffer[] = []
    marked.stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    for (const piece of ['greeting\nma', 'rk 7', '\nfirst', ' second']) marked.stream.write(piece)
    marked.stream.end()
    expect(await marked.found).toBe('7')
    await new Promise((resolve) => marked.stream.once('end', resolve))
    expect(Buffer.concat(chunks).toString()).toBe('first second')
  })

  it('says what came instead', async () => {
    const marked = createMarked('mark')
    marked.stream.resume()
    marked.stream.end('level=fatal msg="no"')
    expect(await marked.found).toBeUndefined()
    expect(marked.noise()).toBe('level=fatal msg="no"')
  })
})
