import { expect, it } from 'vitest'
import { parseAge, parseCpusFlag, parseSizeFlag } from './quantities.ts'

it('reads ages, sizes and cores, and names the flag of what it cannot read', async () => {
  expect(parseAge('30d', 'older-than')).toBe(30 * 86_400_000)
  expect(parseAge('90m', 'older-than')).toBe(5_400_000)
  expect(await parseSizeFlag('2gb', 'memory')).toBe(2 * 1024 ** 3)
  expect(parseCpusFlag('1.5', 'cpus')).toBe(1.5)
  expect(() => parseAge('soon', 'older-than')).toThrow(/--older-than is "soon"/)
  expect(() => parseCpusFlag('0', 'cpus')).toThrow(/--cpus/)
  await expect(parseSizeFlag('big', 'memory')).rejects.toMatchObject({ code: 'HOLM_USAGE' })
})
