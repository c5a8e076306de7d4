import { describe, expect, it } from 'vitest'
import { measure, type Contender } from './measure.ts'

function recorder(name: string, log: string[]): Contender {
  return {
    name,
    before: async (round) => log.push(`before ${name}${round}`),
    run: async (round) => log.push(`run ${name}${round}`),
    after: async (round) => log.push(`after ${name}${round}`),
  }
}

const open = new AbortController().signal

describe('measure', () => {
  it('takes turns, and counts no warm-up', async () => {
    const log: string[] = []
    const contenders = [recorder('a', log), recorder('b', log)]
    const bench = { id: 'x', title: '', contenders, budgets: [] }
    const samples = await measure(bench, { warmups: 1, runs: 2, signal: open })
    expect(log.filter((line) => line.startsWith('run'))).toEqual([
      'run a0',
      'run b0',
      'run a1',
      'run b1',
      'run a2',
      'run b2',
    ])
    expect(log.slice(0, 3)).toEqual(['before a0', 'run a0', 'after a0'])
    expect([...samples].map(([name, list]) => [name, list.length])).toEqual([
      ['a', 2],
      ['b', 2],
    ])
  })

  it('ends between two runs when it is interrupted', async () => {
    const interrupted = new AbortController()
    const ran: string[] = []
    const first: Contender = {
      name: 'a',
      run: async () => {
        ran.push('a')
        interrupted.abort()
      },
    }
    const second: Contender = { name: 'b', run: async () => ran.push('b') }
    const bench = { id: 'x', title: '', contenders: [first, second], budgets: [] }
    await expect(measure(bench, { warmups: 0, runs: 1, signal: interrupted.signal })).rejects.toThrow(
      'aborted',
    )
    expect(ran).toEqual(['a'])
  })
})
