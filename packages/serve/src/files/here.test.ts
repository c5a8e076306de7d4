import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Files } from './files.ts'
import { filesHere } from './here.ts'

// A machine may be busy: nothing here is about speed.
vi.setConfig({ testTimeout: 60_000 })

let folder: string
let top: string
let files: Files
const part = { offset: 0, length: 100 }

// The folder beside it shares its name's beginning, and holds what must not be touched.
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "holm it's files ")))
  top = join(folder, 'root')
  mkdirSync(join(top, 'sub'), { recursive: true })
  mkdirSync(join(folder, 'root-secret', 'deep'), { recursive: true })
  writeFileSync(join(top, 'sub', 'file'), 'mine')
  writeFileSync(join(folder, 'root-secret', 'key'), 'secret')
  writeFileSync(join(folder, 'root-secret', 'deep', 'key'), 'secret')
  writeFileSync(join(folder, 'root-secret', 'only-there'), '')
  files = filesHere({ path: top, inside: '/workspace' })
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function secretsAreUntouched(): void {
  const list = readdirSync(join(folder, 'root-secret'), { recursive: true }).map(String)
  expect(list.toSorted()).toEqual(['deep', join('deep', 'key'), 'key', 'only-there'])
  expect(readFileSync(join(folder, 'root-secret', 'key'), 'utf8')).toBe('secret')
  expect(readFileSync(join(folder, 'root-secret', 'deep', 'key'), 'utf8')).toBe('secret')
}

/** Every operation on one path. */
function operations(path: string): readonly (() => Promise<unknown>)[] {
  const bytes = Buffer.from('x')
  return [
    () => files.stat(path),
    () => files.read(path, part),
    () => files.write(path, { bytes, mode: 'replace' }),
    () => files.write(path, { bytes, mode: 'append' }),
    () => files.write(path, { bytes, mode: 'create' }),
    () => files.list(path),
    () => files.makeFolder(path, { recursive: false }),
    () => files.makeFolder(path, { recursive: true }),
  ]
}

async function codeOf(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return (error as { readonly code?: string }).code
  }
}

describe('what leads out', () => {
  it.each([
    '/etc/passwd',
    '..',
    '../root-secret/key',
    '../root-secret',
    'sub/../../root-secret/key',
    'sub/../../root/../root-secret/key',
    './/..//root-secret',
    '../root',
  ])('is refused: %s', async (path) => {
    for (const operation of [...operations(path), () => files.remove(path, { recursive: true })])
      expect(await codeOf(operation), operation.toString()).toBe('HOLM_PATH_OUTSIDE')
    secretsAreUntouched()
  })

  it.each([
    ['a file', '../root-secret/key', ''],
    ['a folder', '../root-secret', '/key'],
    ['an absolute link', '/root-secret', '/key'],
    ['something that is not there', '../root-secret/new', ''],
    ['a link to a link', 'sub/hop', '/key'],
    ['the parent', '..', '/root-secret/key'],
    ['itself, seen from outside', '../root/../root-secret', '/key'],
    ['proc', '/proc/self/root', '/etc/passwd'],
  ])('is refused by a link to %s', async (_what, target, below) => {
    symlinkSync('../../root-secret', join(top, 'sub', 'hop'))
    symlinkSync(target === '/root-secret' ? join(folder, 'root-secret') : target, join(top, 'link'))
    for (const operation of operations(`link${below}`))
      expect(await codeOf(operation), operation.toString()).toBe('HOLM_PATH_OUTSIDE')
    const inner = below === '' ? '../root-secret' : `link${below}`
    expect(await codeOf(() => files.remove(inner, { recursive: true }))).toBe('HOLM_PATH_OUTSIDE')
    // The link itself may go; what it leads to stays.
    expect(await files.remove('link', { recursive: true })).toBe(true)
    secretsAreUntouched()
  })

  it('is not entered where the folder itself was replaced', async () => {
    renameSync(top, join(folder, 'moved'))
    symlinkSync('root-secret', top)
    for (const operation of [
      ...operations('key'),
      () => files.remove('key', { recursive: true }),
      () => files.list('.'),
    ])
      expect(await codeOf(operation), operation.toString()).toBe('HOLM_PATH_OUTSIDE')
    secretsAreUntouched()
  })

  it('is not entered when a tree is removed', async () => {
    mkdirSync(join(top, 'tree', 'inner'), { recursive: true })
    symlinkSync(join(folder, 'root-secret'), join(top, 'tree', 'inner', 'link'))
    symlinkSync('../../root-secret/key', join(top, 'tree', 'key'))
    expect(await files.remove('tree', { recursive: true })).toBe(true)
    expect(existsSync(join(top, 'tree'))).toBe(false)
    secretsAreUntouched()
  })
})

describe('links inside', () => {
  it('are followed, as programs inside would', async () => {
    symlinkSync('sub', join(top, 'near'))
    symlinkSync('/workspace/sub/file', join(top, 'as-inside'))
    symlinkSync(join(top, 'sub'), join(top, 'as-here'))
    symlinkSync('sub/../near/./file', join(top, 'winding'))
    symlinkSync('sub/new', join(top, 'dangling'))
    for (const path of ['near/file', 'as-inside', 'as-here/file', 'winding', 'near/../sub//file'])
      expect((await files.read(path, part)).bytes.toString(), path).toBe('mine')
    await files.write('dangling', { bytes: Buffer.from('made'), mode: 'create' })
    expect(readFileSync(join(top, 'sub', 'new'), 'utf8')).toBe('made')
    expect((await files.list('.')).find(({ name }) => name === 'near')?.type).toBe('symlink')
    expect((await files.stat('near'))?.type).toBe('directory')
  })

  it('in a circle, and too many of them, end', async () => {
    symlinkSync('b', join(top, 'a'))
    symlinkSync('a', join(top, 'b'))
    symlinkSync('self/self', join(top, 'self'))
    for (const path of ['a', 'b/x', 'self', 'self/self'])
      expect(await codeOf(() => files.read(path, part)), path).toBe('HOLM_FILE_FAILED')
    expect(await codeOf(() => files.stat('x/'.repeat(600)))).toBe('HOLM_FILE_FAILED')
  })
})

it.skipIf(process.platform === 'win32')('neither opens nor waits for pipes and devices', async () => {
  execFileSync('mkfifo', [join(top, 'pipe')])
  for (const operation of operations('pipe').slice(1))
    expect(await codeOf(operation), operation.toString()).toBe('HOLM_FILE_FAILED')
  expect((await files.stat('pipe'))?.type).toBe('other')
  expect(await files.remove('pipe', { recursive: false })).toBe(true)
})

it('removes what is deep, and says where it is too deep', async () => {
  const deep = (levels: number): string => Array.from({ length: levels }, () => 'd').join('/')
  mkdirSync(join(top, deep(200)), { recursive: true })
  expect(await files.remove('d', { recursive: true })).toBe(true)
  mkdirSync(join(top, deep(300)), { recursive: true })
  expect(await codeOf(() => files.remove('d', { recursive: true }))).toBe('HOLM_FILE_FAILED')
})

/** Repeatable numbers from 0 to 1. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** A folder, or a link, inside: also where links are in the tree already. What cannot be made is left out. */
function plant(at: string, target: string | undefined): void {
  try {
    if (!`${realpathSync(dirname(at))}/`.startsWith(`${top}/`)) return
    if (target === undefined) mkdirSync(at)
    else symlinkSync(target, at)
  } catch {
    // Something is there, or its folder is not: the tree is as good without.
  }
}

it('never leaves the folder, whatever the tree and the path', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = createRandom(seed)
    const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item
    const names = ['a', 'b', 'c', 'sub']
    const steps = [...names, '..', '..', '.', '', 'root', 'root-secret', 'key', 'deep']
    const path = (): string =>
      Array.from({ length: 1 + Math.floor(random() * 6) }, () => pick(steps)).join('/')
    const target = (): string =>
      pick([path(), `/workspace/${path()}`, `${folder}/${path()}`, `${top}/${path()}`, '/'])
    for (let count = 0; count < 6; count++) {
      const at = join(top, pick(['', 'sub', 'a']), pick(names))
      plant(at, random() < 0.3 ? undefined : target())
    }
    const before = readdirSync(folder).toSorted()
    for (let count = 0; count < 12; count++) {
      const asked = path()
      await codeOf(pick([...operations(asked), () => files.remove(asked, { recursive: true })]))
      const read = await files.read(asked, part).catch(() => undefined)
      expect(read?.bytes.toString() === 'secret', `seed ${seed}: ${asked} was read`).toBe(false)
      const listed = await files.list(asked).catch(() => [])
      expect(
        listed.some(({ name }) => name === 'only-there'),
        `seed ${seed}: ${asked} was listed`,
      ).toBe(false)
    }
    expect(readdirSync(folder).toSorted(), `seed ${seed}`).toEqual(before)
    secretsAreUntouched()
    rmSync(top, { recursive: true, force: true })
    mkdirSync(join(top, 'sub'), { recursive: true })
    writeFileSync(join(top, 'sub', 'file'), 'mine')
  }
})

it('is not deceived by a folder that is exchanged for a link meanwhile', async (ctx) => {
  if (process.platform !== 'linux') ctx.skip('only Linux opens each part of a path below the one before it')
  mkdirSync(join(top, 'x'))
  writeFileSync(join(top, 'x', 'key'), 'mine')
  symlinkSync(join(folder, 'root-secret'), join(top, 'y'))
  const stop = new AbortController()
  // One name is a folder at one moment, and a link that leads out at the next.
  const exchange = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      renameSync(join(top, 'x'), join(top, 'z'))
      renameSync(join(top, 'y'), join(top, 'x'))
      await new Promise((resolve) => setImmediate(resolve))
      renameSync(join(top, 'x'), join(top, 'y'))
      renameSync(join(top, 'z'), join(top, 'x'))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const exchanged = exchange()
  const seen = new Set<string>()
  for (let count = 0; count < 100; count++) {
    await files.read('x/key', part).then(
      ({ bytes }) => seen.add(bytes.toString()),
      (error: { readonly code: string }) => seen.add(error.code),
    )
    await codeOf(() => files.write('x/key', { bytes: Buffer.from('mine'), mode: 'replace' }))
    await codeOf(() => files.remove('x/deep', { recursive: true }))
  }
  stop.abort()
  await exchanged
  expect(seen).toContain('mine')
  expect([...seen].filter((each) => each === 'secret')).toEqual([])
  secretsAreUntouched()
})
