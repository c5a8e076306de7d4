import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createStamps, findFiles, hashFiles } from './stamps.mjs'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holm-stamps-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

it('remembers a step until its inputs change or it starts again', () => {
  const stamps = createStamps(join(folder, 'stamps.json'))
  expect(stamps.matches('build', 'a')).toBe(false)
  stamps.save('build', 'a')
  stamps.save('install', 'b')
  expect(stamps.matches('build', 'a')).toBe(true)
  expect(stamps.matches('build', 'changed')).toBe(false)
  stamps.clear('build')
  expect(stamps.matches('build', 'a')).toBe(false)
  expect(stamps.matches('install', 'b')).toBe(true)
})

it('survives a stamp file that was cut off', () => {
  const file = join(folder, 'stamps.json')
  writeFileSync(file, '{ "build": ')
  expect(createStamps(file).matches('build', 'a')).toBe(false)
})

it('hashes names and contents, and looks into no output folder', () => {
  mkdirSync(join(folder, 'dist'))
  writeFileSync(join(folder, 'dist', 'out.ts'), 'built')
  writeFileSync(join(folder, 'a.ts'), 'one')
  const files = findFiles(folder, (path) => path.endsWith('.ts'))
  expect(files).toEqual([join(folder, 'a.ts')])
  const before = hashFiles(folder, files)
  writeFileSync(join(folder, 'a.ts'), 'two')
  expect(hashFiles(folder, files)).not.toBe(before)
})
