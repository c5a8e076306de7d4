import { describe, expect, it } from 'vitest'
import { renderUsage } from '../reference/usage.ts'
import { parseWords } from './parse.ts'

const table = {
  id: 'port forward',
  summary: 'Forward.',
  examples: [],
  args: [
    { name: 'environment', description: 'Which.', required: true },
    { name: 'port', description: 'Ports.', multiple: true },
  ],
  flags: { watch: { type: 'boolean' as const, description: 'Go on.' } },
}

describe('an argument that takes several words', () => {
  it('takes all that are left, wherever the flags stand', async () => {
    const parsed = await parseWords(table, ['web', '3000', '--watch', '8080:80'], undefined)
    expect(parsed).toMatchObject({
      args: { environment: 'web', port: '3000' },
      words: ['3000', '8080:80'],
      flags: { watch: true },
    })
    expect(renderUsage(table)).toBe('port forward ENVIRONMENT [PORT…] [FLAGS]')
  })

  it('may have none, unless it is required', async () => {
    expect(await parseWords(table, ['web'], undefined)).toMatchObject({
      words: [],
      args: { environment: 'web' },
    })
    const [environment, port] = table.args
    const strict = { ...table, args: [environment, { ...port, required: true }] as typeof table.args }
    await expect(parseWords(strict, ['web'], undefined)).rejects.toMatchObject({ code: 'HOLM_USAGE' })
    await expect(parseWords(table, [], undefined)).rejects.toMatchObject({ code: 'HOLM_USAGE' })
  })

  it('is no place for a flag that does not exist', async () => {
    await expect(parseWords(table, ['web', '--wach'], undefined)).rejects.toMatchObject({
      code: 'HOLM_USAGE',
      message: 'unknown flag "--wach"',
    })
  })
})
