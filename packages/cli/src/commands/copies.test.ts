import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HolmError } from '@holm/core'
import type { GoldenImage, PruneOptions, Resources, Snapshot, UpOptions } from '@holm/core'
import { environment, upResult } from '../../test/fake-host.ts'
import { runHolm } from '../../test/run-holm.ts'

const image: GoldenImage = {
  name: 'golden-0123456789ab',
  hash: '0123456789abcdef',
  provider: 'docker',
  blueprint: 'web',
  source: '/project/holm.yaml',
  createdAt: '2026-01-01T00:00:00.000Z',
  usedAt: '2026-01-01T00:00:00.000Z',
  tookMs: 61_000,
  status: 'ready',
  environments: ['web'],
}

const snapshot: Snapshot = {
  environment: 'web',
  name: 'one',
  createdAt: '2026-01-01T00:00:00.000Z',
  includesMemory: false,
  automatic: false,
  files: [{ source: '/project', sizeBytes: 2048 }],
  sizeBytes: undefined,
}

async function* bytes(...pieces: readonly string[]): AsyncIterable<Uint8Array> {
  for (const piece of pieces) yield Buffer.from(piece)
}

describe('build and image', () => {
  it('says what a build saves, and up says that it was used', async () => {
    const { selection, steps, warnings } = upResult
    const build = () => Promise.resolve({ image, outcome: 'built' as const, selection, steps, warnings })
    expect((await runHolm(['build'], { host: { build } })).stdout).toBe(
      'golden-0123456789ab is built on docker\nsaves  1 m 01 s at each up\nuse    holm up\n',
    )
    const up = () => Promise.resolve({ ...upResult, image: image.name })
    expect((await runHolm(['up'], { host: { up } })).stdout).toContain(
      'image  golden-0123456789ab: nothing had to be installed\n',
    )
  })

  it('up asks before snapshots go, and takes --yes for the answer', async () => {
    const calls: UpOptions[] = []
    const up = (options: UpOptions = {}) => {
      calls.push(options)
      if (options.removeSnapshots === true) return Promise.resolve(upResult)
      return Promise.reject(
        new HolmError('HOLM_CONFIRMATION_REQUIRED', 'making web anew removes its snapshots: one'),
      )
    }
    const unasked = await runHolm(['up', '--recreate'], { host: { up } })
    expect(unasked.code).toBe(2)
    expect(unasked.stderr).toContain('removes its snapshots: one. Go on? nobody can be asked here')
    expect((await runHolm(['up', '--recreate', '--yes'], { host: { up } })).code).toBe(0)
    expect(calls.map(({ removeSnapshots }) => removeSnapshots)).toEqual([undefined, true])
  })

  it('prune shows first, needs --yes where nobody can be asked, and passes its flags on', async () => {
    const calls: PruneOptions[] = []
    const prune = (options: PruneOptions = {}) => {
      calls.push(options)
      return Promise.resolve({ removed: [image], kept: [] })
    }
    const host = { images: { prune } }
    const unasked = await runHolm(['image', 'prune'], { host })
    expect(unasked.code).toBe(2)
    expect(unasked.stderr).toContain('HOLM_CONFIRMATION_REQUIRED')
    expect(calls.map(({ dryRun }) => dryRun)).toEqual([true])
    const run = await runHolm(['image', 'prune', '-y', '--older-than', '2d'], { host })
    expect(run.stdout).toBe('golden-0123456789ab is removed\n')
    expect(calls.at(-1)).toMatchObject({ all: false, olderThanMs: 172_800_000 })
    expect(calls.at(-1)?.dryRun).toBeUndefined()
    expect((await runHolm(['image', 'prune', '--older-than', 'soon'], { host })).code).toBe(2)
  })

  it('completes the names of images', async () => {
    const host = { images: { list: () => Promise.resolve([image]) } }
    const { stdout } = await runHolm(['__complete', '--', 'image', 'show', 'gol'], { host })
    expect(stdout).toBe('golden-0123456789ab\tweb on docker\n')
  })
})

describe('snapshot', () => {
  it('restore asks, and says where the former state is', async () => {
    const restore = () =>
      Promise.resolve({
        environment: { ...environment, status: 'stopped' as const },
        restored: snapshot,
        before: 'before-restore-1',
      })
    const host = { snapshots: { restore } }
    expect((await runHolm(['snapshot', 'restore', 'web', 'one'], { host })).code).toBe(2)
    expect((await runHolm(['snapshot', 'restore', 'web', 'one', '-y'], { host })).stdout).toBe(
      'web is back at one, and stopped\n' +
        'what was there before: holm snapshot restore web before-restore-1\n' +
        'go on: holm start web\n',
    )
  })

  it('create says which folders are in it, list what each has', async () => {
    const host = {
      snapshots: { create: () => Promise.resolve(snapshot), list: () => Promise.resolve([snapshot]) },
    }
    expect((await runHolm(['snapshot', 'create'], { host })).stdout).toBe(
      'one of web is saved with /project (2.0 KiB)\n',
    )
    expect((await runHolm(['snapshot', 'list'], { host })).stdout).toMatch(/one +\d+ d +no +2.0 KiB +you/)
  })
})

it('clone shows each result, and ends with the code of the first failure', async () => {
  const clone = () =>
    Promise.resolve([
      { name: 'a-1', environment },
      { name: 'a-2', error: { code: 'HOLM_DISK_FULL' as const, message: 'full' } },
    ])
  const run = await runHolm(['clone', 'web', 'a', '-n', '2'], { host: { clone } })
  expect(run.code).toBe(7)
  expect(run.stdout).toMatch(/a-1 +running +8080->80\na-2 +HOLM_DISK_FULL: full/)
})

describe('export and import', () => {
  it('writes beside and moves, replaces only with --force, and never half', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holm-export-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'web.tar')
    const host = { export: () => bytes('one', 'two') }
    expect((await runHolm(['export', 'web', file], { host })).stdout).toBe(`${file} holds web (6 B)\n`)
    expect(readFileSync(file, 'utf8')).toBe('onetwo')
    expect((await runHolm(['export', 'web', file], { host })).code).toBe(2)
    expect((await runHolm(['export', 'web', file, '--force'], { host })).code).toBe(0)
    const failing = async function* (): AsyncIterable<Uint8Array> {
      yield Buffer.from('one')
      throw Object.assign(new Error('full'), { code: 'ENOSPC' })
    }
    const run = await runHolm(['export', 'web', join(folder, 'b.tar')], { host: { export: failing } })
    expect(run).toMatchObject({ code: 7, stderr: expect.stringContaining('HOLM_DISK_FULL') as string })
    expect(readdirSync(folder)).toEqual(['web.tar'])
    expect((await runHolm(['export', 'web', join(folder, 'no/b.tar')], { host })).code).toBe(2)
  })

  it('the standard output takes an archive unless it is a terminal or --json', async () => {
    const host = { export: () => bytes('archive') }
    expect((await runHolm(['export', 'web', '-'], { host })).stdout).toBe('archive')
    expect((await runHolm(['export', 'web', '-', '--json'], { host })).code).toBe(2)
    expect((await runHolm(['export', 'web', '-'], { host, columns: 80 })).code).toBe(2)
  })

  it('import reads the standard input, and refuses what is no file', async () => {
    let read = ''
    const host = {
      import: async (archive: AsyncIterable<Uint8Array>) => {
        for await (const piece of archive) read += Buffer.from(piece).toString()
        return { environment, manifest: {} as never, warnings: [] }
      },
    }
    const run = await runHolm(['import', '-', 'web'], { host, stdin: 'archive' })
    expect(run.stdout).toBe('web is running on docker\n')
    expect(read).toBe('archive')
    expect((await runHolm(['import', '/nonexistent/web.tar'], { host })).code).toBe(2)
  })
})

it('resize and update pass on what was asked, and say what is left to do', async () => {
  let asked: Resources | undefined
  const resize = (_name: string | undefined, resources: Resources) => {
    asked = resources
    return Promise.resolve(environment)
  }
  await runHolm(['resize', 'web', '--cpus', '1.5', '--memory', '2gb', '--pids', '99'], { host: { resize } })
  expect(asked).toEqual({ cpus: 1.5, memoryBytes: 2 ** 31, pids: 99 })
  expect((await runHolm(['resize', 'web', '--cpus', 'many'], { host: { resize } })).code).toBe(2)
  const update = () =>
    Promise.resolve({ environment, applied: ['packages'], pending: ['ports'], steps: [], warnings: [] })
  expect((await runHolm(['update', 'web'], { host: { update } })).stdout).toBe(
    'web: installed again: packages\nnot applied: ports; holm up --recreate makes it anew\n',
  )
})
