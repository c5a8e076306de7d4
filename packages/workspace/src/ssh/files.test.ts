import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { includeConfig } from './files.ts'

function home(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holm-home-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, '.ssh'))
  return folder
}

it('writes through a link to where the user keeps the configuration, with its mode', () => {
  const folder = home()
  const kept = join(folder, 'dotfiles')
  writeFileSync(kept, 'Host x\n', { mode: 0o644 })
  const named = join(folder, '.ssh', 'config')
  symlinkSync(kept, named)
  expect(includeConfig(folder, '/data/config')).toEqual({
    path: kept,
    changed: true,
    backup: `${kept}.before-holm`,
  })
  expect(lstatSync(named).isSymbolicLink()).toBe(true)
  expect(readFileSync(kept, 'utf8')).toContain('Include "/data/config"')
  expect(statSync(kept).mode & 0o777).toBe(0o644)
  includeConfig(folder, undefined)
  expect(readFileSync(kept, 'utf8')).toBe('Host x\n')
})

it('makes a configuration that only its owner can read', () => {
  const folder = home()
  const { path } = includeConfig(folder, '/data/config')
  expect(statSync(path).mode & 0o777).toBe(0o600)
})
