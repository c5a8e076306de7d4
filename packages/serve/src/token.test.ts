import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { isToken, loadToken } from './token.ts'

function stage(): {
  readonly folder: string
  readonly warnings: string[]
  readonly log: Parameters<typeof loadToken>[1]['log']
} {
  const parent = mkdtempSync(join(tmpdir(), 'holm token '))
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
  const warnings: string[] = []
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: (message: string) => void warnings.push(message),
  }
  return { folder: join(parent, 'serve'), warnings, log }
}

it('is made once, for its owner alone', () => {
  const { folder, log, warnings } = stage()
  const token = loadToken(folder, { log })
  expect(token.value).toMatch(/^[\w-]{43}$/)
  expect(loadToken(folder, { log })).toEqual(token)
  expect(statSync(token.path).mode & 0o777).toBe(0o600)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  const renewed = loadToken(folder, { renew: true, log })
  expect(renewed.value).not.toBe(token.value)
  expect(readFileSync(token.path, 'utf8').trim()).toBe(renewed.value)
  expect(warnings).toEqual([])
})

it('is replaced where others could have read or written it', () => {
  const { folder, log, warnings } = stage()
  const token = loadToken(folder, { log })
  chmodSync(token.path, 0o644)
  const second = loadToken(folder, { log })
  expect(second.value).not.toBe(token.value)
  expect(warnings).toHaveLength(1)
  rmSync(token.path)
  writeFileSync(join(folder, 'elsewhere'), token.value, { mode: 0o600 })
  symlinkSync(join(folder, 'elsewhere'), token.path)
  expect(loadToken(folder, { log }).value).not.toBe(token.value)
  expect(readFileSync(join(folder, 'elsewhere'), 'utf8')).toBe(token.value)
  writeFileSync(token.path, 'short', { mode: 0o600 })
  expect(loadToken(folder, { log }).value).toMatch(/^[\w-]{43}$/)
})

it('is compared as a whole', () => {
  const token = { path: '', value: 'x'.repeat(43) }
  expect(isToken(token.value, token)).toBe(true)
  for (const shown of [undefined, '', 'x', `${token.value}x`, ` ${token.value}`])
    expect(isToken(shown, token)).toBe(false)
})
