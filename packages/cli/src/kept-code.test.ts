import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { claimFolder, createScriptLoader } from './kept-code.ts'

let root = ''
let script = ''
let folder = ''

// Functions enough that what was compiled makes a difference.
const functions = Array.from(
  { length: 50 },
  (_, index) => `exports.f${index} = (a) => { let s = a; for (let i = 0; i < 3; i++) s += i; return s }`,
)

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holm kept ö’-'))
  script = join(root, 'script.cjs')
  folder = join(root, 'code')
  write(
    'exports.run = () => { for (const key of Object.keys(exports)) if (key[0] === "f") exports[key](1); return 1 }',
  )
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

function write(text: string): void {
  writeFileSync(
    script,
    `(function ({ exports, require, module, __load, __meta }) {\n${text}\n${functions.join('\n')}\n})`,
  )
}

function kept(): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.code'))
    .toSorted()
}

const driver = `
  import { createScriptLoader } from ${JSON.stringify(new URL('kept-code.ts', import.meta.url).href)}
  const [folder, purpose, script, work] = process.argv.slice(1)
  const loader = createScriptLoader({ folder, purpose })
  console.log(loader.load(script).run())
  loader.keep(Number(work))`

/** In a process of its own: within one, V8 remembers sources, and asks no cache. */
function run(work: number, purpose = 'up'): number {
  const args = ['--input-type=module', '--eval', driver, folder, purpose, script, String(work)]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  expect(status, stderr).toBe(0)
  return Number(stdout)
}

const sizeOf = (name: string): number => readFileSync(join(folder, name)).length
const only = (): string => {
  const [name, ...others] = kept()
  expect(others).toEqual([])
  return name ?? ''
}

describe('scripts', () => {
  it('have what a module has: exports, require, import() and import.meta', async () => {
    writeFileSync(join(root, 'other.mjs'), 'export const name = "other"')
    write(`
      exports.contract = require('@holm/contract').version
      exports.separator = require('node:path').sep
      exports.load = async () => [(await __load('./other.mjs')).name, typeof (await __load('node:os')).hostname]
      exports.meta = [__meta.url, __meta.dirname]`)
    const loader = createScriptLoader({ folder: undefined, purpose: 'up' })
    const exports = loader.load(script, { '@holm/contract': { version: 7 } }) as Record<string, unknown>
    expect(exports).toMatchObject({
      contract: 7,
      separator: '/',
      meta: [expect.stringMatching(/^file:.*script\.cjs$/), root],
    })
    expect(await (exports['load'] as () => Promise<unknown>)()).toEqual(['other', 'function'])
    loader.keep(1)
    expect(kept()).toEqual([])
  })

  it('say where they failed', () => {
    write('exports.run = () => { throw new Error("here") }')
    const { run: fail } = createScriptLoader({ folder, purpose: 'up' }).load(script) as { run: () => void }
    expect(fail).toThrowError(
      expect.objectContaining({ stack: expect.stringContaining(`${script}:2`) as string }),
    )
  })

  it('that are missing are an error', () => {
    expect(() => createScriptLoader({ folder, purpose: 'up' }).load(join(root, 'none.cjs'))).toThrow(
      /ENOENT.*none\.cjs/,
    )
  })
})

describe('compiled code', { timeout: 60_000 }, () => {
  it('holds what has run, and is used by the next run', () => {
    const call = 'for (const key of Object.keys(exports)) if (key[0] === "f") exports[key](1)'
    write(`exports.run = () => { ${call}; return 1 }`)
    run(1, 'busy')
    const busy = readFileSync(join(folder, only()))
    write(`exports.run = () => { if (false) ${call}; return 1 }`)
    run(1, 'idle')
    expect(busy.length).toBeGreaterThan(sizeOf(kept().find((name) => name.endsWith('idle.code')) ?? '') * 1.2)

    // Read, too: the code of another source of the same length, put in its place, is what runs.
    write(`exports.run = () => { ${call}; return 2 }`)
    expect(run(1, 'other')).toBe(2)
    const other = kept().find((name) => name.endsWith('other.code')) ?? ''
    writeFileSync(join(folder, dirname(other), 'up.code'), busy)
    expect(run(1)).toBe(1)
  })

  it('is made anew by a run that did more, and only by that', () => {
    run(3)
    const name = only()
    const first = readFileSync(join(folder, name))
    run(3)
    run(1)
    expect(readFileSync(join(folder, name))).toEqual(first)
    run(4)
    expect(readFileSync(join(folder, name)).readUInt32LE(4)).toBe(4)
    expect(first.readUInt32LE(4)).toBe(3)
  })

  it.each([
    ['empty', () => Buffer.alloc(0)],
    ['cut short', (data: Buffer) => data.subarray(0, data.length - 7)],
    ['of another file', () => Buffer.from('x'.repeat(100))],
    ['of another V8', (data: Buffer) => Buffer.from(data).fill(0, 16, 32)],
  ])('that is %s is not used, and replaced', (_, damage) => {
    run(5)
    const path = join(folder, only())
    const whole = readFileSync(path)
    writeFileSync(path, damage(whole))
    expect(run(0)).toBe(1)
    expect(readFileSync(path).readUInt32LE(4)).toBe(0)
    expect(readFileSync(path).length).toBeGreaterThan(whole.length / 2)
  })

  it('of another build is not used, and is removed a month later', () => {
    run(1)
    const old = dirname(only())
    write('exports.run = () => 3')
    expect(run(1)).toBe(3)
    expect(kept().map((name) => dirname(name))).toContain(old)
    const before = new Date(Date.now() - 31 * 24 * 60 * 60 * 1000)
    utimesSync(join(folder, old), before, before)
    run(2)
    expect(kept().map((name) => dirname(name))).not.toContain(old)
    expect(kept()).toHaveLength(1)
  })

  it('that cannot be written is none, and leaves nothing half-made', () => {
    run(1)
    const path = join(folder, only())
    rmSync(path)
    // A folder where the file should be: the last step fails, as for root nothing else would.
    mkdirSync(join(path, 'in the way'), { recursive: true })
    expect(run(1)).toBe(1)
    expect(readdirSync(dirname(path))).toEqual(['up.code'])
  })
})

describe.skipIf(process.platform === 'win32')(
  'the folder (POSIX owners and modes)',
  { timeout: 60_000 },
  () => {
    it('is for this user alone', () => {
      expect(claimFolder(join(folder, 'deep'))).toBe(join(folder, 'deep'))
      run(1)
      chmodSync(folder, 0o777)
      expect(claimFolder(folder)).toBeUndefined()
      chmodSync(folder, 0o755)
      expect(claimFolder(folder)).toBe(folder)
    })

    it.each(['script.cjs/code', '/proc/none/code', 'link'])(
      'that cannot be made, or is a link, is none: %s',
      (path) => {
        symlinkSync(root, join(root, 'link'))
        expect(claimFolder(resolve(root, path))).toBeUndefined()
      },
    )
  },
)
