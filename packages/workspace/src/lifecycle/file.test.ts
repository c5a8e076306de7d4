import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { loadLifecycle, parseLifecycle } from './file.ts'

const path = '/w/lifecycle.json'

it('reads the file of nexus as it is', () => {
  const hooks = {
    'pre-start': [{ name: 'deps', command: 'npm', args: ['ci'], env: { CI: '1' }, timeout: 120 }],
    'post-stop': [{ command: 'true', timeout: '500ms' }, { command: 'true' }],
  }
  expect(parseLifecycle({ version: '1.0', hooks }, path)).toEqual({
    'pre-start': [{ name: 'deps', argv: ['npm', 'ci'], env: { CI: '1' }, timeoutMs: 120_000 }],
    'post-start': [],
    'pre-stop': [],
    'post-stop': [
      { name: 'true', argv: ['true'], env: {}, timeoutMs: 500 },
      { name: 'true', argv: ['true'], env: {}, timeoutMs: 30_000 },
    ],
  })
  expect(parseLifecycle({}, path)['pre-start']).toEqual([])
})

it.each([
  [[], 'no object with "hooks"'],
  [{ hooks: { start: [] } }, 'hooks.start is unknown'],
  [{ hooks: { 'pre-stop': {} } }, 'hooks.pre-stop must be a list'],
  [{ hooks: { 'pre-stop': [3] } }, 'hooks.pre-stop[0] must be an object'],
  [{ hooks: { 'pre-stop': [{ command: '' }] } }, 'hooks.pre-stop[0].command'],
  [{ hooks: { 'pre-stop': [{ command: 'a', args: 'b' }] } }, '.args'],
  [{ hooks: { 'pre-stop': [{ command: 'a', env: { A: 1 } }] } }, '.env'],
  [{ hooks: { 'pre-stop': [{ command: 'a', timeout: -1 }] } }, '.timeout'],
])('refuses %j', (document, says) => {
  expect(() => parseLifecycle(document, path)).toThrow(
    expect.objectContaining({ code: 'HOLM_CONFIG_INVALID', message: expect.stringContaining(says) }),
  )
})

it('reads no file that lies elsewhere', () => {
  const folder = mkdtempSync(join(tmpdir(), "it's lifecycle "))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  expect(loadLifecycle(folder)).toBeUndefined()
  mkdirSync(join(folder, 'other'))
  writeFileSync(join(folder, 'other', 'lifecycle.json'), '{"hooks":{"pre-stop":[{"command":"a"}]}}')
  symlinkSync('other', join(folder, '.nexus'))
  expect(loadLifecycle(folder)).toBeUndefined()
  rmSync(join(folder, '.nexus'))
  mkdirSync(join(folder, '.nexus'))
  symlinkSync('../other/lifecycle.json', join(folder, '.nexus', 'lifecycle.json'))
  expect(() => loadLifecycle(folder)).toThrow(expect.objectContaining({ code: 'HOLM_CONFIG_INVALID' }))
})
