import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryProvider, type MemoryProvider } from '@holm/testkit/memory'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { definePlugin, type HostApi, type Traits } from '../../index.ts'
import { createHost } from '../create-host.ts'
import { readText } from '../runner.ts'
import { companionName } from './spec.ts'

let folder: string
let project: string
let provider: MemoryProvider
const hosts: HostApi[] = []

const able: Partial<Traits> = { companions: true, networks: ['default', 'named'] }
const blueprint = `name: shop
base: host
services:
  db: { image: postgres, ports: [5432], volumes: [{ name: data, mount: /var/data }] }
  web: { command: serve, depends_on: [db] }
`

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "holm companions'")))
  project = join(folder, 'my shop')
  mkdirSync(project)
  writeFileSync(join(project, 'holm.yaml'), blueprint)
  provider = createMemoryProvider({ root: join(folder, 'memory'), traits: able })
})
afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.close()))
  await provider.dispose()
  rmSync(folder, { recursive: true })
})

/** Starts every service from an image, as a plugin for services would. */
const starter = definePlugin({
  name: 'test-starter',
  contract: 1,
  setup: (api) => {
    api.provide('provider', 'memory', () => provider)
    api.hook('beforeReady', async ({ environment, companions }) => {
      for (const { name, container } of environment.services) if (container) await companions.up(name)
    })
  },
})

async function openHost(): Promise<HostApi> {
  const env = { PATH: process.env['PATH'], HOME: folder, HOLM_HOME: join(folder, 'home') }
  const host = await createHost({ cwd: project, plugins: [starter], env })
  hosts.push(host)
  return host
}

const named = async (host: HostApi): Promise<string[]> =>
  (await host.list()).map(({ name, status }) => `${name} ${status}`)

it('gives a service from an image an environment of its own, which belongs to the other', async () => {
  const host = await openHost()
  await host.up()
  const created = provider.calls.filter(({ method }) => method === 'create').map(({ name }) => name)
  expect(created).toEqual(['shop', 'shop-db'])
  const [, db] = await host.list()
  expect(db).toMatchObject({
    name: 'shop-db',
    status: 'running',
    project: '',
    partOf: { environment: 'shop', service: 'db' },
  })
  expect(await host.companions('shop').list()).toMatchObject([
    { service: 'db', name: 'shop-db', restarts: 0 },
  ])
  // The folder means the environment, never one of its services.
  expect((await host.status(undefined, { projectFolder: project })).name).toBe('shop')
  const shown = await host.exec({
    environment: 'shop',
    argv: ['/bin/sh', '-c', 'echo $HOLM_SERVICE_DB_HOST'],
  })
  expect(await readText(shown.stdout)).toBe('db\n')
})

it('stops and removes it with the environment, and keeps its volumes unless asked', async () => {
  const host = await openHost()
  await host.up()
  await host.stop('shop')
  expect(await named(host)).toEqual(['shop stopped', 'shop-db stopped'])
  expect((await host.companions('shop').list())[0]?.halted).toBe(true)
  await host.start('shop')
  expect(await named(host)).toEqual(['shop running', 'shop-db running'])
  expect((await host.companions('shop').list())[0]?.halted).toBe(false)
  await host.destroy('shop')
  expect(await named(host)).toEqual([])
  const removals = provider.calls.filter(({ method }) => method === 'remove').map(({ name }) => name)
  expect(removals).toEqual(['shop', 'shop-db'])
})

it('removes the volumes of services alone where that is asked: no other environment can have them', async () => {
  writeFileSync(join(project, 'holm.yaml'), `${blueprint}volumes: [{ name: cache, mount: /cache }]\n`)
  const volumes = (): string[] =>
    readdirSync(join(folder, 'memory', 'volumes')).map((name) => decodeURIComponent(name).replace(/.*\//, ''))
  const host = await openHost()
  await host.up()
  expect(volumes().toSorted()).toEqual(['cache', 'shop-data'])
  await host.destroy('shop', { volumes: 'services' })
  expect(volumes()).toEqual(['cache'])
  await host.up()
  await host.destroy('shop')
  expect(volumes().toSorted()).toEqual(['cache', 'shop-data'])
})

it('keeps one that is as it is wanted, makes one anew that is not, and one that somebody removed', async () => {
  const host = await openHost()
  await host.up()
  await host.companions('shop').up('db')
  await host.up()
  const made = (): number =>
    provider.calls.filter(({ method, name }) => method === 'create' && name === 'shop-db').length
  expect(made()).toBe(1)
  writeFileSync(join(project, 'holm.yaml'), blueprint.replace('postgres', 'postgres:17'))
  expect((await host.up()).changed).toEqual(['services'])
  expect(made()).toBe(1)
  await host.up({ recreate: true })
  expect(made()).toBe(2)
  await host.destroy('shop-db')
  await host.up()
  expect(made()).toBe(3)
})

it('leaves nothing when it cannot be made', async () => {
  const host = await openHost()
  writeFileSync(join(project, 'holm.yaml'), blueprint.replace('postgres', 'nowhere.invalid/db'))
  await expect(host.up()).rejects.toMatchObject({ code: 'HOLM_IMAGE_MISSING' })
  expect(await named(host)).toEqual(['shop running'])
})

it('removes what is left of an environment that is gone', async () => {
  const host = await openHost()
  await host.up()
  // As somebody would with the runtime's own tools, and holm saw it.
  await provider.remove('shop', { volumes: false }, { ...context() })
  expect(await named(host)).toEqual(['shop-db running'])
  expect(await host.destroy('shop')).toEqual({ name: 'shop', existed: true })
  expect(await named(host)).toEqual([])
  await expect(host.destroy('shop')).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_FOUND' })
})

it('finds its companions by their labels when the state was lost', async () => {
  await (await openHost()).up()
  await Promise.all(hosts.splice(0).map((host) => host.close()))
  rmSync(join(folder, 'home'), { recursive: true })
  const host = await openHost()
  await host.destroy('shop')
  expect(await provider.list(context())).toEqual([])
})

it('refuses a name that another environment has', async () => {
  const host = await openHost()
  const other = join(folder, 'other')
  mkdirSync(other)
  writeFileSync(join(other, 'holm.yaml'), 'name: shop-db\nbase: host\n')
  await host.up({ cwd: other })
  await expect(host.up()).rejects.toMatchObject({
    code: 'HOLM_ENVIRONMENT_CONFLICT',
    message: 'the service db of shop needs the name shop-db, which another environment has',
  })
  expect(await named(host)).toEqual(['shop running', 'shop-db running'])
})

it('refuses a provider that cannot, before anything is made', async () => {
  await provider.dispose()
  provider = createMemoryProvider({ root: join(folder, 'memory') })
  const host = await openHost()
  await expect(host.up({ provider: 'memory' })).rejects.toMatchObject({
    code: 'HOLM_BLUEPRINT_UNSUPPORTED',
    message: 'the provider memory cannot run the service db from an image',
  })
  await expect(host.up()).rejects.toMatchObject({ code: 'HOLM_PROVIDER_NONE' })
  expect(await named(host)).toEqual([])
})

it('runs the command inside where the provider cannot run the image', async () => {
  await provider.dispose()
  provider = createMemoryProvider({ root: join(folder, 'memory') })
  writeFileSync(
    join(project, 'holm.yaml'),
    blueprint.replace('image: postgres', 'image: postgres, command: pg'),
  )
  const host = await openHost()
  const { environment } = await host.up()
  expect(environment.services[0]).toMatchObject({ name: 'db', command: { shell: 'pg' } })
  expect(await named(host)).toEqual(['shop running'])
})

it('clones get a network and services of their own; a service itself is not cloned', async () => {
  const host = await openHost()
  await host.up()
  const [clone] = await host.clone('shop', 'copy')
  expect(clone?.environment?.name).toBe('copy')
  await host.companions('copy').up('db')
  expect(await named(host)).toEqual(['copy running', 'copy-db running', 'shop running', 'shop-db running'])
  await expect(host.clone('shop-db', 'other')).rejects.toMatchObject({ code: 'HOLM_USAGE' })
})

it.each([
  ['shop', 'db', /^shop-db$/],
  ['shop', 'my_db', /^shop-my-db-[0-9a-f]{6}$/],
  ['a'.repeat(40), 'db', /^a{33}-[0-9a-f]{6}$/],
  ['shop', 'ü', /^shop-u-[0-9a-f]{6}$/],
])('names it after %s and %s', (environment, service, expected) => {
  const name = companionName(environment, service)
  expect(name).toMatch(expected)
  expect(name.length).toBeLessThanOrEqual(40)
})

function context(): Parameters<MemoryProvider['list']>[0] {
  const log = { debug: () => {}, info: () => {}, warn: () => {} }
  const runner = {
    run: () => Promise.reject(new Error('no program')),
    spawn: () => Promise.reject(new Error('no program')),
  }
  return { signal: new AbortController().signal, runner, log, progress: () => {} }
}
