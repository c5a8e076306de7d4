import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { createTar, parseTar } from './tar.ts'

const entries = [
  { path: 'folder/', mode: 0o755, data: Buffer.alloc(0) },
  { path: 'folder/ünï "x"', mode: 0o640, data: Buffer.from('hello') },
  { path: 'block', mode: 0o600, data: Buffer.alloc(512, 7) },
]

it('reads back what it wrote', () => {
  expect(parseTar(createTar(entries))).toEqual(entries)
})

it('writes what tar reads', () => {
  const listed = execFileSync('tar', ['-tf', '-'], { input: createTar(entries), encoding: 'utf8' })
  expect(listed.split('\n')).toHaveLength(entries.length + 1)
})
