import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { setStage, type Stage } from '../../../test/memory-host.ts'
import type { HostApi } from '../../index.ts'
import { openState } from '../state/index.ts'
import { planSwaps, runSwap, stageSwap } from './files.ts'

async function bringUp(blueprint = 'base: host\n'): Promise<{ stage: Stage; host: HostApi }> {
  const stage = await setStage()
  stage.blueprint(blueprint)
  const host = await stage.open()
  await host.up()
  return { stage, host }
}

describe('clone', () => {
  it('has the files, other ports, no project, and is its own', async () => {
    const { stage, host } = await bringUp(
      'base: host\nports: ["0:8080"]\nlifecycle: { postStart: "echo started >> stages" }\n',
    )
    await stage.shell(host, 'web', 'echo mine > file')
    const [result] = await host.clone('web', 'copy')
    expect(result).toMatchObject({ name: 'copy', environment: { status: 'running', project: '' } })
    const ports = (await host.list()).map((each) => each.ports[0]?.host)
    expect(new Set(ports).size).toBe(2)
    expect(await stage.shell(host, 'copy', 'cat file workspace/stages')).toBe('mine\nstarted\nstarted\n')
    await host.destroy('web')
    expect(await stage.shell(host, 'copy', 'cat file')).toBe('mine\n')
    // The folder goes on to mean the origin.
    await expect(host.status()).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_FOUND' })
  })

  it('stays stopped when told to, and runs postStart at its first start', async () => {
    const { stage, host } = await bringUp('base: host\nlifecycle: { postStart: "echo started >> stages" }\n')
    const [result] = await host.clone('web', 'copy', { start: false })
    expect(result).toMatchObject({ name: 'copy', environment: { status: 'stopped', project: '' } })
    await expect(host.status('copy')).resolves.toMatchObject({ status: 'stopped' })
    await expect(host.start('copy')).resolves.toMatchObject({ status: 'running' })
    expect(await stage.shell(host, 'copy', 'cat workspace/stages')).toBe('started\nstarted\n')
  })

  it('many at once; one that cannot be made says why and leaves the others', async () => {
    const { host } = await bringUp()
    await host.clone('web', 'c-2')
    const results = await host.clone('web', 'c', { count: 6 })
    expect(results.map(({ name }) => name)).toEqual(['c-1', 'c-2', 'c-3', 'c-4', 'c-5', 'c-6'])
    expect(results.filter(({ error }) => error).map(({ name, error }) => [name, error?.code])).toEqual([
      ['c-2', 'HOLM_ENVIRONMENT_CONFLICT'],
    ])
    await expect(host.list()).resolves.toHaveLength(7)
  })

  it('that fails leaves nothing', async () => {
    const { stage, host } = await bringUp()
    stage.provider.faults['start'] = { code: 'HOLM_ENVIRONMENT_FAILED' }
    const [result] = await host.clone('web', 'copy')
    expect(result?.error?.code).toBe('HOLM_ENVIRONMENT_FAILED')
    await expect(host.list({ all: true })).resolves.toMatchObject([{ name: 'web' }])
  })

  it('shares bind mounts, or has copies that go with it', async () => {
    const { stage, host } = await bringUp()
    writeFileSync(join(stage.project, 'file'), 'project')
    await host.clone('web', 'shared')
    await host.clone('web', 'own', { copyFiles: true })
    await stage.shell(host, 'shared', 'echo changed > workspace/file')
    expect(readFileSync(join(stage.project, 'file'), 'utf8')).toBe('changed\n')
    await stage.shell(host, 'own', 'echo its own > workspace/file')
    expect(readFileSync(join(stage.project, 'file'), 'utf8')).toBe('changed\n')
    const own = join(stage.folder, 'home/data/files/holm/own')
    expect(existsSync(own)).toBe(true)
    await host.destroy('own')
    expect(existsSync(own)).toBe(false)
    expect(readFileSync(join(stage.project, 'file'), 'utf8')).toBe('changed\n')
  })
})

describe('snapshots', () => {
  it('include the files of bind mounts, and restore saves what was there', async () => {
    const { stage, host } = await bringUp()
    const at = (path: string): string => join(stage.project, path)
    mkdirSync(at('node_modules/deep'), { recursive: true })
    writeFileSync(at('node_modules/deep/file'), 'before')
    writeFileSync(at('run'), 'x')
    chmodSync(at('run'), 0o750)
    symlinkSync('run', at('link'))
    linkSync(at('run'), at('twin'))
    await stage.shell(host, 'web', 'echo inside > own')
    const snapshot = await host.snapshots.create('web', { name: 'one' })
    expect(snapshot).toMatchObject({ name: 'one', automatic: false, files: [{ source: stage.project }] })
    writeFileSync(at('node_modules/deep/file'), 'after')
    writeFileSync(at('added'), 'new')
    chmodSync(at('run'), 0o600)
    await stage.shell(host, 'web', 'echo changed > own')
    const restored = await host.snapshots.restore('web', 'one')
    expect(restored).toMatchObject({ environment: { status: 'stopped' }, restored: { name: 'one' } })
    expect(readFileSync(at('node_modules/deep/file'), 'utf8')).toBe('before')
    expect(readdirSync(stage.project).toSorted()).toEqual([
      'holm.yaml',
      'link',
      'node_modules',
      'run',
      'twin',
    ])
    expect(statSync(at('run')).mode & 0o777).toBe(0o750)
    expect(statSync(at('run')).ino).toBe(statSync(at('twin')).ino)
    expect(readlinkSync(at('link'))).toBe('run')
    await host.start('web')
    expect(await stage.shell(host, 'web', 'cat own')).toBe('inside\n')
    await host.snapshots.restore('web', restored.before)
    expect(readFileSync(at('added'), 'utf8')).toBe('new')
    expect(readFileSync(at('node_modules/deep/file'), 'utf8')).toBe('after')
    const listed = await host.snapshots.list('web')
    expect(listed.map(({ automatic }) => automatic)).toEqual([false, true, true])
  })

  it('go with what is recreated only when that was said', async () => {
    const { host } = await bringUp()
    await host.snapshots.create('web', { name: 'one' })
    const refused = host.up({ recreate: true })
    await expect(refused).rejects.toMatchObject({
      code: 'HOLM_CONFIRMATION_REQUIRED',
      details: { name: 'web', snapshots: ['one'] },
    })
    await expect(host.snapshots.list('web')).resolves.toHaveLength(1)
    const anew = await host.up({ recreate: true, removeSnapshots: true })
    expect(anew).toMatchObject({
      outcome: 'recreated',
      warnings: ['the snapshots of web went with it: one'],
    })
    await expect(host.snapshots.list('web')).resolves.toEqual([])
  })

  it('leave files alone when told to, and are removed with their archives', async () => {
    const { stage, host } = await bringUp()
    writeFileSync(join(stage.project, 'file'), 'before')
    await host.snapshots.create('web', { name: 'bare', files: false })
    await host.snapshots.create('web', { name: 'full' })
    writeFileSync(join(stage.project, 'file'), 'after')
    await host.snapshots.restore('web', 'full', { files: false })
    expect(readFileSync(join(stage.project, 'file'), 'utf8')).toBe('after')
    const folder = join(stage.folder, 'home/data/snapshots/holm/web')
    expect(readdirSync(folder)).toEqual(['full'])
    await host.snapshots.remove('web', 'full')
    expect(readdirSync(folder)).toEqual([])
    await expect(host.snapshots.restore('web', 'full')).rejects.toMatchObject({ code: 'HOLM_USAGE' })
    await host.destroy('web')
    expect(existsSync(folder)).toBe(false)
  })

  it('with memory need a provider that has it, and are left running', async () => {
    const { host } = await bringUp()
    const saved = await host.snapshots.create('web', { name: 'live', memory: true })
    expect(saved.includesMemory).toBe(true)
    const { environment } = await host.snapshots.restore('web', 'live')
    expect(environment.status).toBe('running')
    const stage = await setStage({ facets: ['snapshots'] })
    stage.blueprint('base: host\n')
    const bare = await stage.open()
    await bare.up()
    const refused = bare.snapshots.create('web', { memory: true })
    await expect(refused).rejects.toMatchObject({ code: 'HOLM_FACET_UNSUPPORTED' })
    await expect(bare.snapshots.list('web')).resolves.toEqual([])
  })

  it('that cannot be saved leave nothing', async () => {
    const { stage, host } = await bringUp()
    await host.stop('web')
    writeFileSync(join(stage.project, 'gone'), '')
    const { rmSync } = await import('node:fs')
    rmSync(stage.project, { recursive: true })
    await expect(host.snapshots.create('web', { name: 'one' })).rejects.toThrow()
    await expect(host.snapshots.list('web')).resolves.toEqual([])
    mkdirSync(stage.project)
    await expect(host.snapshots.create('web', { name: '../one' })).rejects.toMatchObject({
      code: 'HOLM_NAME_INVALID',
    })
  })

  it.each([
    ['[x]', '[x]'],
    ['[x]', 'a link'],
    ['deep [x]/and *', 'deep [x]/and *'],
    ['deep [x]/and *', 'a link'],
  ])('leave holm itself alone that lives in the project, in %s, called %s', async (folder, called) => {
    const stage = await setStage()
    const at = (path: string): string => join(stage.project, path)
    mkdirSync(join(at(folder), 'cache'), { recursive: true })
    // Not the folder that holm is in, and yet its pattern.
    mkdirSync(at('x'))
    writeFileSync(at('x/file'), 'before')
    writeFileSync(join(at(folder), '..', 'beside'), 'before')
    const home = called === 'a link' ? join(stage.folder, called) : at(called)
    if (called === 'a link') symlinkSync(at(folder), home)
    stage.blueprint('base: host\n')
    const warnings: string[] = []
    const host = await stage.open({
      env: { HOLM_HOME: home },
      onEvent: (event) => void (event.type === 'warning' && warnings.push(event.message)),
    })
    await host.up()
    await host.snapshots.create('web', { name: 'one' })
    const told = (name: string): string =>
      `${join(home, name)} lies in ${stage.project} and is not saved with it`
    expect(warnings).toEqual(['data', 'cache'].map(told))
    for (const path of ['x/file', join(folder, '..', 'beside')]) writeFileSync(at(path), 'after')
    writeFileSync(at('added'), 'new')
    await host.snapshots.create('web', { name: 'two' })
    await host.snapshots.restore('web', 'one')
    expect(readFileSync(at('x/file'), 'utf8')).toBe('before')
    expect(readFileSync(join(at(folder), '..', 'beside'), 'utf8')).toBe('before')
    expect(existsSync(at('added'))).toBe(false)
    const listed = (await host.snapshots.list('web')).filter(({ automatic }) => !automatic)
    expect(listed.map(({ name }) => name)).toEqual(['one', 'two'])
    await host.snapshots.restore('web', 'two')
    expect(readFileSync(at('added'), 'utf8')).toBe('new')
    await expect(host.status('web')).resolves.toMatchObject({ status: 'stopped' })
    expect(readdirSync(stage.project).filter((name) => name.startsWith('.holm-restore'))).toEqual([])
    await host.destroy('web')
  })

  it('of a restore that was killed in the swap: the next command ends it', async () => {
    const { stage, host } = await bringUp()
    const at = (path: string): string => join(stage.project, path)
    for (const name of ['a', 'b', 'c']) writeFileSync(at(name), 'before')
    await host.snapshots.create('web', { name: 'one' })
    for (const name of ['a', 'b', 'c', 'd']) writeFileSync(at(name), 'after')
    // A restore as far as a holm gets that is killed after its first renames.
    const archive = join(stage.folder, 'home/data/snapshots/holm/web/one/mount-0.tar')
    const [planned] = planSwaps([
      { source: stage.project, target: '/workspace', archive, kind: 'folder', sizeBytes: 0 },
    ])
    if (planned === undefined) throw new Error('nothing planned')
    const { createRunner } = await import('../runner.ts')
    const work = {
      host: {
        platform: process.platform,
        runner: createRunner({ env: process.env }),
        paths: { data: '/none', cache: '/none' },
      },
      operation: { signal: new AbortController().signal, warn: () => undefined },
    }
    const swap = await stageSwap(work as never, planned, { archive, source: stage.project })
    const { renameSync } = await import('node:fs')
    renameSync(at('a'), join(swap.stage, 'old/a'))
    const state = openState(join(stage.folder, 'home/data/state.db'), 'holm')
    state.journals.put('web', {
      environment: 'web',
      provider: 'memory',
      snapshot: 'one',
      phase: 'swapping',
      swaps: [swap],
    })
    state.close()
    const warnings: string[] = []
    const next = await stage.open({
      onEvent: (event) => void (event.type === 'warning' && warnings.push(event.message)),
    })
    await next.list()
    expect(warnings).toEqual(['an interrupted restore of web to one was brought to its end'])
    expect(readdirSync(stage.project).toSorted()).toEqual(['a', 'b', 'c', 'holm.yaml'])
    for (const name of ['a', 'b', 'c']) expect(readFileSync(at(name), 'utf8')).toBe('before')
  })

  it('a swap can be begun again from any point', async () => {
    const stage = await setStage()
    const source = join(stage.project, 'content')
    const make = (folder: string, names: readonly string[]): void => {
      mkdirSync(folder, { recursive: true })
      for (const name of names) writeFileSync(join(folder, name), folder.endsWith('new') ? 'new' : 'old')
    }
    make(source, ['a', 'b'])
    const swap = {
      source,
      kind: 'folder',
      stage: join(source, '.holm-restore-1'),
      before: ['a', 'b'],
    } as const
    make(join(swap.stage, 'new'), ['b', 'c'])
    mkdirSync(join(swap.stage, 'old'))
    for (let round = 0; round < 3; round += 1) await runSwap(swap)
    expect(readdirSync(source).toSorted()).toEqual(['.holm-restore-1', 'b', 'c'])
    expect(readFileSync(join(source, 'b'), 'utf8')).toBe('new')
    expect(readFileSync(join(swap.stage, 'old/a'), 'utf8')).toBe('old')
  })
})

describe('resize and update', () => {
  it('gives new limits and keeps the others', async () => {
    const { host } = await bringUp('base: host\nresources: { cpus: 1, memory: 256mb }\n')
    const info = await host.resize('web', { pids: 99 })
    expect(info.limits.map(({ name, value }) => [name, value])).toEqual([
      ['cpus', 1],
      ['memory', 268435456],
      ['pids', 99],
    ])
    await expect(host.resize('web', {})).rejects.toMatchObject({ code: 'HOLM_USAGE' })
    await expect(host.resize('web', { cpus: 0 })).rejects.toMatchObject({ code: 'HOLM_USAGE' })
  })

  it('installs again, only what changed when the blueprint did, and tells what it cannot apply', async () => {
    const { stage, host } = await bringUp('base: host\nscripts: { setup: "echo one >> made" }\n')
    await expect(host.update('web')).resolves.toMatchObject({ applied: ['scripts'], pending: [] })
    expect(await stage.shell(host, 'web', 'cat made')).toBe('one\none\n')
    stage.blueprint('base: host\nenvironment: { A: b }\nscripts: { setup: "echo two >> made" }\n')
    await expect(host.update('web')).resolves.toMatchObject({
      applied: ['scripts'],
      pending: ['environment'],
    })
    expect(await stage.shell(host, 'web', 'cat made')).toBe('one\none\ntwo\n')
    await expect(host.up()).resolves.toMatchObject({ outcome: 'running', changed: ['environment'] })
    await host.stop('web')
    await expect(host.update('web')).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_RUNNING' })
  })
})
