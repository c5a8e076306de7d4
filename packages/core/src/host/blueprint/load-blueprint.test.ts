import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createRunner } from '../runner.ts'
import { loadBlueprint, withBlueprint } from './load-blueprint.ts'
import { toSpec } from './to-spec.ts'
import type { BlueprintContext } from './blueprint-context.ts'

let root: string
let context: BlueprintContext
const runner = createRunner({ env: process.env })

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'holm-blueprint-')))
  context = {
    cwd: join(root, 'project'),
    env: { ...process.env, HOME: join(root, 'home') },
    paths: { config: join(root, 'config'), cache: join(root, 'cache') },
    runner,
    platform: process.platform,
  }
  await mkdir(context.cwd)
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

async function put(path: string, text: string): Promise<string> {
  const file = join(root, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
  return file
}

const load = (reference?: string, cwd = context.cwd) => loadBlueprint(reference, { ...context, cwd })

describe('finding', () => {
  it('takes the first of the known names in a folder', async () => {
    await put('project/holm.toml', 'name = "toml"')
    await put('project/.devcontainer.json', '{"image": "x"}')
    expect((await load()).source).toBe(join(context.cwd, 'holm.toml'))
    await put('project/holm.yaml', 'name: yaml')
    expect(await load()).toMatchObject({
      source: join(context.cwd, 'holm.yaml'),
      format: 'native',
      project: context.cwd,
      directory: context.cwd,
      defaultName: 'yaml',
    })
  })

  it('walks up to the root of the repository and no further', async () => {
    await put('holm.yaml', 'name: outside')
    await mkdir(join(context.cwd, '.git'))
    await mkdir(join(context.cwd, 'a/b'), { recursive: true })
    await expect(load(undefined, join(context.cwd, 'a/b'))).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_NOT_FOUND',
      hint: expect.stringContaining('holm init') as string,
    })
    await put('project/holm.json', '{}')
    expect(await load(undefined, join(context.cwd, 'a/b'))).toMatchObject({
      project: context.cwd,
      defaultName: 'project',
    })
  })

  it('takes files, folders, own blueprints and built-ins, in this order', async () => {
    const file = await put('elsewhere/thing.json', '{"description": "file"}')
    expect(await load(file)).toMatchObject({
      source: file,
      project: context.cwd,
      directory: dirname(file),
      defaultName: 'thing',
    })
    await put('elsewhere/holm.yaml', 'description: folder')
    expect(await load('../elsewhere')).toMatchObject({
      project: join(root, 'elsewhere'),
      defaultName: 'elsewhere',
    })
    expect(await load('redis')).toMatchObject({
      source: 'builtin:redis',
      project: context.cwd,
      defaultName: 'redis',
    })
    await mkdir(join(context.cwd, 'redis'))
    expect((await load('redis')).source).toBe('builtin:redis')
    const own = await put('config/blueprints/redis.yaml', 'extends: redis\npackages: [jq]')
    const loaded = await load('redis')
    expect(loaded).toMatchObject({ source: own, defaultName: 'redis' })
    expect(loaded.blueprint?.packages).toContain('jq')
    expect(loaded.blueprint?.packages).toContain('redis-server')
  })

  it('offers near names', async () => {
    await expect(load('pyton-dev')).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_NOT_FOUND',
      message: 'no blueprint "pyton-dev"; near names: python-dev',
      details: { near: ['python-dev'] },
    })
    await expect(load('./absent.yaml')).rejects.toMatchObject({
      message: expect.stringContaining('no such file') as string,
    })
    await expect(load('../../../../../../etc')).rejects.toMatchObject({ code: 'HOLM_BLUEPRINT_NOT_FOUND' })
  })

  it('lets the user choose between several dev containers', async () => {
    const python = await put('project/.devcontainer/python/devcontainer.json', '{"image": "python"}')
    expect((await load()).source).toBe(python)
    const node = await put('project/.devcontainer/node/devcontainer.json', '{"image": "node"}')
    await expect(load()).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_AMBIGUOUS',
      details: { choices: [node, python] },
    })
    expect(await load(node)).toMatchObject({ source: node, project: context.cwd, format: 'devcontainer' })
    const direct = await put('project/.devcontainer/devcontainer.json', '{"image": "x"}')
    expect((await load()).source).toBe(direct)
  })
})

describe('extends', () => {
  it('merges several parents in order, and knows one shared parent once', async () => {
    await put(
      'project/common.yaml',
      'packages: [git]\nscripts: {setup: common}\nenvironment: {A: "1", B: "1", C: "1"}\nuser: dev\nbind_mounts: [{host: data, container: /data}]\n',
    )
    await put(
      'project/sub/left.yaml',
      'extends: ../common.yaml\npackages: [jq]\nscripts: {setup: left}\nenvironment: {B: "2"}\nbind_mounts: [{host: data, container: /left}]\n',
    )
    await put(
      'project/right.yaml',
      'extends: common.yaml\nname: right\nports: ["8080:80", "9090:90"]\nenvironment: {C: "3"}\n',
    )
    await put(
      'project/holm.yaml',
      'extends: [sub/left.yaml, ./right.yaml]\npackages: [git, curl]\nscripts: {setup: [own]}\nenvironment: {A: null}\nports: ["8000:80"]\nuser: null\n',
    )
    const { blueprint, defaultName } = await load()
    expect(blueprint).toEqual({
      packages: ['git', 'jq', 'curl'],
      scripts: { setup: ['common', 'left', 'own'] },
      environment: { B: '2', C: '3' },
      bind_mounts: [
        { host: join(context.cwd, 'data'), container: '/data' },
        { host: join(context.cwd, 'sub/data'), container: '/left' },
      ],
      ports: ['8000:80', '9090:90'],
    })
    expect(defaultName).toBe('project')
  })

  it('names the circle', async () => {
    await put('project/a.yaml', 'extends: ./b.yaml')
    await put('project/b.yaml', 'extends: ./a.yaml')
    await expect(load('a.yaml')).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_CYCLE',
      message: 'blueprints extend each other: a.yaml -> b.yaml -> a.yaml',
    })
  })

  it('names who asked for a missing parent', async () => {
    const file = await put('project/holm.yaml', 'extends: pyton-dev')
    await expect(load()).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_PARENT_MISSING',
      message: `${file} extends "pyton-dev": near names: python-dev`,
    })
    await put('project/holm.yaml', 'extends: ./gone.yaml')
    await expect(load()).rejects.toMatchObject({
      message: `${file} extends "./gone.yaml": it does not exist`,
    })
  })

  it('names the file of the parent that is wrong', async () => {
    await put('project/holm.yaml', 'extends: ./parent.yaml')
    const parent = await put('project/parent.yaml', 'prots: []')
    await expect(load()).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_INVALID',
      message: `${parent}:1:1: prots: unknown key, did you mean "ports"?`,
    })
  })
})

describe('extends from git', () => {
  async function git(...args: string[]): Promise<string> {
    const identity = [
      '-c',
      'user.name=test',
      '-c',
      'user.email=test@example.invalid',
      '-c',
      'commit.gpgsign=false',
    ]
    const { code, stdout, stderr } = await runner.run(['git', ...identity, ...args], {
      cwd: join(root, 'remote'),
    })
    if (code !== 0) throw new Error(stderr)
    return stdout.trim()
  }

  async function createRemote(): Promise<string> {
    await put('remote/sub/base.yaml', 'extends: ../common.yaml\npackages: [git]')
    await put('remote/common.yaml', 'packages: [curl]\nenvironment: {FROM: git}')
    await git('init', '--quiet')
    await git('add', '.')
    await git('commit', '--quiet', '-m', 'first')
    return git('rev-parse', 'HEAD')
  }

  it('fetches a pinned commit, then works without the repository', async () => {
    const commit = await createRemote()
    await put(
      'project/holm.yaml',
      `extends: git+file://${join(root, 'remote')}#${commit}:sub/base.yaml\npackages: [jq]`,
    )
    const expected = { packages: ['curl', 'git', 'jq'], environment: { FROM: 'git' } }
    expect((await load()).blueprint).toEqual(expected)
    await rm(join(root, 'remote'), { recursive: true })
    expect((await load()).blueprint).toEqual(expected)
    const [folder = ''] = await readdir(join(root, 'cache/blueprints'))
    expect(await readdir(join(root, 'cache/blueprints', folder))).toEqual([commit])
  })

  it('says what git says when the commit is not there', async () => {
    await createRemote()
    await put('project/holm.yaml', `extends: git+file://${join(root, 'remote')}#${'0'.repeat(40)}:x.yaml`)
    await expect(load()).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_PARENT_MISSING',
      message: expect.stringMatching(/holm\.yaml extends .*cannot get x\.yaml of file:.*0{40}/) as string,
    })
  })

  it.each([
    ['git+https://host/r.git#main:x.yaml', 'not to a full commit'],
    ['git+https://host/r.git', 'is not git+https'],
    ['git+ext::sh -c id#x:y', 'is not git+https'],
    ['git+http://host/r.git#' + 'a'.repeat(40) + ':x.yaml', 'is not git+https'],
    ['git+ssh://-oProxyCommand=id/r.git#' + 'a'.repeat(40) + ':x.yaml', 'no usable host'],
    ['git+https://me:secret@host/r.git#' + 'a'.repeat(40) + ':x.yaml', 'carries a password'],
    ['git+https://host/r.git#' + 'a'.repeat(40) + ':../../x.yaml', 'leaves the repository'],
  ])('refuses %s', async (reference, reason) => {
    await put('project/holm.yaml', `extends: "${reference}"`)
    await expect(load()).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_INVALID',
      message: expect.stringContaining(reason) as string,
    })
  })
})

describe('withBlueprint', () => {
  it('takes over what a hook changed', async () => {
    await put('project/holm.yaml', 'name: first\nbase: debian-12\ncheck: "true"\n')
    const loaded = await load()
    expect(loaded).toMatchObject({ base: 'debian-12', check: { shell: 'true' }, defaultName: 'first' })
    const changed = await withBlueprint(loaded, {
      ...loaded.blueprint,
      base: 'alpine',
      provider: 'docker',
      check: ['x'],
    })
    await expect(withBlueprint(loaded, { prots: [] })).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_INVALID',
      message: expect.stringContaining('holm.yaml (as plugins changed it): prots: unknown key') as string,
    })
    expect(changed).toMatchObject({ base: 'alpine', preferredProvider: 'docker', check: { argv: ['x'] } })
  })
})

it('becomes a spec', async () => {
  await put('project/holm.yaml', 'name: My App\nports: [3000]\n')
  const { spec } = toSpec(await load(), { base: { kind: 'host' }, env: context.env })
  expect(spec).toMatchObject({
    name: 'my-app',
    ports: [{ container: 3000, host: 3000, hostIp: '127.0.0.1' }],
  })
})
