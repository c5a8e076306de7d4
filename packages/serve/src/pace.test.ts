import { expect, it } from 'vitest'
import { createPace } from './connection.ts'
import { createCredit } from './executions.ts'
import { createTail } from './tail.ts'

it('lets a second\u2019s worth through at once, and then one after the other', () => {
  let now = 0
  const pace = createPace(4, () => now)
  expect([pace(), pace(), pace(), pace()]).toEqual([0, 0, 0, 0])
  expect([pace(), pace()]).toEqual([250, 500])
  now = 10_000
  expect([pace(), pace(), pace(), pace(), pace()]).toEqual([0, 0, 0, 0, 250])
})

it('holds back what is more than the window', async () => {
  const credit = createCredit(100, new AbortController().signal)
  await credit.take(60)
  await credit.take(60)
  let taken = false
  const waiting = credit.take(1).then(() => (taken = true))
  await Promise.resolve()
  expect(taken).toBe(false)
  credit.give(30)
  await waiting
  expect(taken).toBe(true)
})

it('holds nothing back without a window, or when it is over', async () => {
  const open = createCredit(undefined, new AbortController().signal)
  for (let count = 0; count < 3; count++) await open.take(1e9)
  const life = new AbortController()
  const credit = createCredit(10, life.signal)
  await credit.take(10)
  const waiting = credit.take(10)
  life.abort()
  await waiting
  expect(life.signal.aborted).toBe(true)
})

it('keeps the end of what is long', () => {
  const tail = createTail(10)
  for (let count = 0; count < 1000; count++) tail.add(Buffer.from(`${count} `))
  expect(tail.bytes().toString()).toBe('7 998 999 ')
  expect(tail.cut).toBe(true)
  const short = createTail(10)
  short.add(Buffer.from('0123456789'))
  expect([short.bytes().toString(), short.cut]).toEqual(['0123456789', false])
})
