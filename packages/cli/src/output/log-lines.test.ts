import { describe, expect, it } from 'vitest'
import { HolmError } from '@holm/core'
import type { LogChunk } from '@holm/core'
import { runHolm } from '../../test/run-holm.ts'

const euro = Buffer.from('€')

async function* chunks(): AsyncIterable<LogChunk> {
  yield { stream: 'stdout', data: Buffer.concat([Buffer.from('one\r\ntw'), euro.subarray(0, 1)]) }
  yield { stream: 'stderr', data: Buffer.from('oops\n') }
  yield { stream: 'stdout', data: Buffer.concat([euro.subarray(1), Buffer.from('\u001b[2J\nlast')]) }
}

describe('holm logs', () => {
  it('prints whole lines on their own streams, without control characters', async () => {
    const run = await runHolm(['logs'], { host: { logs: chunks } })
    expect(run).toMatchObject({ code: 0, stdout: 'one\ntw€\nlast\n', stderr: 'oops\n' })
  })

  it('is JSON lines with --json, an error as the last one', async () => {
    async function* broken(): AsyncIterable<LogChunk> {
      yield* chunks()
      throw new HolmError('HOLM_PROVIDER_UNAVAILABLE', 'the engine went away')
    }
    const { stdout, code } = await runHolm(['logs', '--json'], { host: { logs: broken } })
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    expect(code).toBe(5)
    expect(lines.slice(0, 2)).toEqual([
      { stream: 'stdout', text: 'one' },
      { stream: 'stderr', text: 'oops' },
    ])
    expect(lines.at(-1)).toMatchObject({ error: { code: 'HOLM_PROVIDER_UNAVAILABLE' } })
  })

  it('gives follow and tail to the host', async () => {
    const seen: unknown[] = []
    async function* logs(name: string | undefined, options: object): AsyncIterable<LogChunk> {
      seen.push([name, options])
      yield* []
    }
    await runHolm(['logs', 'web', '-f', '--tail', '5'], { host: { logs } })
    expect(seen).toMatchObject([['web', { follow: true, tail: 5 }]])
  })
})
