import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { withLayerCache } from './layer-cache.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holm-layers-'))
})
afterEach(() => {
  vi.unstubAllGlobals()
  rmSync(folder, { recursive: true, force: true })
})

const layer = { name: 'a', environment: { A: '1', B: null } }
const parse = vi.fn(() => Promise.resolve(layer))
const read = (text: string, source = '/p/holm.yaml'): Promise<unknown> =>
  withLayerCache({ source, text, folder }, parse)

describe('withLayerCache', () => {
  beforeEach(() => {
    parse.mockClear()
    vi.stubGlobal('HOLM_BUILD', 'one')
  })

  it('parses a text once, and again when the text or the build is another', async () => {
    await expect(read('x')).resolves.toEqual(layer)
    await expect(read('x')).resolves.toEqual(layer)
    expect(parse).toHaveBeenCalledTimes(1)
    await read('y')
    expect(parse).toHaveBeenCalledTimes(2)
    vi.stubGlobal('HOLM_BUILD', 'two')
    await read('y')
    expect(parse).toHaveBeenCalledTimes(3)
  })

  it('keeps one private entry for each source', async () => {
    await read('x')
    await read('y')
    await read('x', '/q/holm.yaml')
    const names = readdirSync(join(folder, 'blueprints'))
    expect(names).toHaveLength(2)
    expect(statSync(join(folder, 'blueprints', names[0] ?? '')).mode & 0o777).toBe(0o600)
  })

  it('keeps nothing of what is refused', async () => {
    const refuse = (): Promise<never> => Promise.reject(new Error('bad'))
    await expect(withLayerCache({ source: 's', text: 'x', folder }, refuse)).rejects.toThrow('bad')
    await expect(read('x', 's')).resolves.toEqual(layer)
  })

  it('does without an entry that is damaged and a folder that cannot be written', async () => {
    await read('x')
    const [name = ''] = readdirSync(join(folder, 'blueprints'))
    writeFileSync(join(folder, 'blueprints', name), '{"build":"one","te')
    await expect(read('x')).resolves.toEqual(layer)
    const file = join(folder, 'file')
    writeFileSync(file, '')
    chmodSync(file, 0o444)
    const within = { source: 's', text: 'x', folder: file }
    await expect(withLayerCache(within, parse)).resolves.toEqual(layer)
  })

  it('is off where no build is known, as in tests', async () => {
    vi.unstubAllGlobals()
    await read('x')
    await read('x')
    expect(parse).toHaveBeenCalledTimes(2)
  })
})
