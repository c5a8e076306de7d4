import { expect, test } from 'vitest'
import { HolmError } from '../../errors.ts'
import { abandonAfter } from './abandon.ts'

const never = new Promise<never>(() => {})

test('work that ends is not disturbed, also after the abort', async () => {
  const controller = new AbortController()
  expect(await abandonAfter(Promise.resolve(1), controller.signal, 0)).toBe(1)
  controller.abort()
  expect(await abandonAfter(Promise.resolve(2), controller.signal, 60_000)).toBe(2)
})

test('work that does not react is given up with the reason of the abort', async () => {
  const controller = new AbortController()
  const abandoned = abandonAfter(never, controller.signal, 1)
  controller.abort(new HolmError('HOLM_TIMEOUT', 'too late'))
  await expect(abandoned).rejects.toThrow(expect.objectContaining({ code: 'HOLM_TIMEOUT' }))
  await expect(abandonAfter(never, AbortSignal.abort(), 1)).rejects.toThrow(
    expect.objectContaining({ code: 'HOLM_INTERRUPTED' }),
  )
})
