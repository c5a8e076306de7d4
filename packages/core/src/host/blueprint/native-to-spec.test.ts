import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { loadBlueprint, fillBlueprint } from './load-blueprint.ts'
import { toSpec } from './to-spec.ts'
import type { Blueprint } from '../../blueprint.ts'
import type { BlueprintContext } from './blueprint-context.ts'
import type { LoadedBlueprint, SpecInput } from './loaded-blueprint.ts'

const fixtures = new URL('../../../test/fixtures/thresh/', import.meta.url).pathname
const base = { kind: 'image', reference: 'debian:12' } as const
const env = { HOME: '/home/me' }
const empty: LoadedBlueprint = {
  source: '/app/holm.yaml',
  format: 'native',
  project: '/app',
  directory: '/app',
  warnings: [],
  defaultName: 'app',
}

function translate(blueprint: Blueprint, input: Partial<SpecInput> = {}) {
  return toSpec(fillBlueprint(empty, blueprint), { base, env, ...input }).spec
}

function thrown(work: () => unknown): { code: string; message: string } {
  try {
    work()
  } catch (error) {
    return error as { code: string; message: string }
  }
  throw new Error('nothing was thrown')
}

describe('nativeToSpec', () => {
  it('has safe defaults', () => {
    expect(translate({})).toEqual({
      name: 'app',
      origin: { blueprint: 'app', source: '/app/holm.yaml', format: 'native', project: '/app' },
      base,
      hostname: 'app',
      matchUserId: false,
      main: 'hold',
      init: true,
      env: {},
      exec: { workdir: '/workspace', env: {}, probe: 'none' },
      mounts: [{ type: 'bind', source: '/app', target: '/workspace', readonly: false }],
      ports: [],
      expose: [],
      network: 'default',
      resources: {},
      security: { privileged: false, capAdd: [], capDrop: [], securityOpt: [], devices: [] },
      provision: { packages: [], tools: {}, setup: [], postInstall: [] },
      lifecycle: {
        initialize: [],
        onCreate: [],
        updateContent: [],
        postCreate: [],
        postStart: [],
        postAttach: [],
        waitFor: 'postStart',
      },
      services: [],
      secrets: {},
      shutdown: 'stop',
      options: {},
      labels: {},
    })
  })

  it('takes every key', () => {
    const spec = translate({
      name: 'Shop 2',
      description: 'd',
      packages: ['git', 'git'],
      tools: { node: 20 },
      environment: { A: 1, B: true, C: 'x' },
      ports: [80, '8080:80', 80],
      expose: ['5432', 5432],
      network: 'none',
      hostname: 'box',
      resources: { cpus: '1.5', memory: '1g', disk: 1024, pids: 50 },
      user: 'dev',
      workdir: '/srv/',
      project: '/code',
      lifecycle: { postCreate: { a: 'x', b: ['y'] } },
      secrets: { T: 'file:~/t', U: { env: 'U', optional: true }, V: 'file:sub/t' },
      security: { privileged: true, capAdd: ['A'] },
      providers: { docker: { shmSize: 1 } },
    })
    expect(spec).toMatchObject({
      name: 'shop-2',
      hostname: 'box',
      env: { A: '1', B: 'true', C: 'x' },
      ports: [
        { host: 80, container: 80 },
        { host: 8080, container: 80 },
      ],
      expose: [5432],
      network: 'none',
      resources: { cpus: 1.5, memoryBytes: 1024 ** 3, diskBytes: 1024, pids: 50 },
      exec: { user: 'dev', workdir: '/srv' },
      matchUserId: true,
      mounts: [{ source: '/app', target: '/code' }],
      provision: { packages: ['git'], tools: { node: '20' } },
      secrets: { T: { path: '/home/me/t' }, U: { optional: true }, V: { path: '/app/sub/t' } },
      options: { docker: { shmSize: 1 } },
    })
  })

  it('decides who owns the files of the project', () => {
    const matches = (blueprint: Blueprint) => translate(blueprint).matchUserId
    expect([
      matches({ user: 'root' }),
      matches({ user: '1000:1000' }),
      matches({ user: 'dev', matchUserId: false }),
    ]).toEqual([false, false, false])
    expect([matches({ user: 'dev' }), matches({ user: 'rooty' })]).toEqual([true, true])
  })

  it('leaves the project out, or lets another mount take its place', () => {
    const info = { base, id: 'x', labels: {}, env: {}, workdir: '/home/x' }
    expect(translate({ project: false }, { baseInfo: info })).toMatchObject({
      mounts: [],
      exec: { workdir: '/home/x' },
    })
    expect(translate({ project: false }).exec).not.toHaveProperty('workdir')
    expect(translate({ volumes: [{ name: 'code', mount: '/workspace/' }] }).mounts).toEqual([
      { type: 'volume', source: 'code', target: '/workspace', readonly: false },
    ])
    const twice: Blueprint = { volumes: [{ mount: '/x' }], tmpfs: ['/x'] }
    expect(thrown(() => translate(twice))).toMatchObject({
      code: 'HOLM_BLUEPRINT_INVALID',
      message: 'two mounts have one target: /x',
    })
  })

  it('refuses names given with --name that cannot be used', () => {
    expect(thrown(() => translate({}, { name: 'My App' }))).toMatchObject({
      code: 'HOLM_NAME_INVALID',
      hint: 'Use a name such as "my-app".',
    })
  })
})

describe('services', () => {
  it('are ordered, with healthchecks in milliseconds', () => {
    const { services } = translate({
      services: {
        web: {
          command: ['serve'],
          depends_on: ['db', 'db'],
          ports: ['8000:80'],
          environment: { A: 1 },
          restart: 'always',
        },
        db: {
          image: 'postgres',
          healthcheck: { port: 5432, interval: '1s', timeout: '500ms', retries: 3, start_period: '1m' },
        },
      },
    })
    expect(services.map((service) => service.name)).toEqual(['db', 'web'])
    expect(services[0]).toMatchObject({
      container: { base: { kind: 'image', reference: 'postgres' }, mounts: [] },
      healthCheck: {
        kind: 'tcp',
        port: 5432,
        intervalMs: 1000,
        timeoutMs: 500,
        retries: 3,
        startPeriodMs: 60_000,
      },
    })
    expect(services[1]).toMatchObject({
      command: { argv: ['serve'] },
      dependsOn: ['db'],
      env: { A: '1' },
      restart: 'always',
    })
  })

  it('from an image are beside it, in a network of its own, unless the provider cannot and there is a command', () => {
    const services = {
      db: { image: 'redis', command: 'redis-server', ports: [6379] },
      web: { command: 'serve', ports: [80] },
    }
    const beside = translate({ name: 'shop', services })
    expect(beside.network).toBe('shop-services')
    expect(beside.aliases).toEqual(['shop', 'web'])
    expect(beside.ports.map(({ container }) => container)).toEqual([80])
    expect(beside.exec.env).toMatchObject({
      HOLM_SERVICE_DB_HOST: 'db',
      HOLM_SERVICE_DB_URL: 'http://db:6379',
      HOLM_SERVICE_WEB_HOST: '127.0.0.1',
    })
    expect(beside.services[0]?.container?.args).toEqual(['/bin/sh', '-c', 'redis-server'])
    expect(beside.services[0]).not.toHaveProperty('command')
    const inside = toSpec(fillBlueprint(empty, { name: 'shop', services }), {
      base,
      env,
      companions: false,
    }).spec
    expect(inside.network).toBe('default')
    expect(inside).not.toHaveProperty('aliases')
    expect(inside.services[0]).toMatchObject({ command: { shell: 'redis-server' } })
    expect(inside.exec.env).toMatchObject({ HOLM_SERVICE_DB_HOST: '127.0.0.1' })
    expect(inside.ports.map(({ container }) => container)).toEqual([6379, 80])
  })

  it('from an image keep the network that the blueprint names, unless it leads nowhere', () => {
    const services = { db: { image: 'redis' } }
    expect(translate({ services, network: 'backend' }).network).toBe('backend')
    for (const network of ['none', 'host'])
      expect(thrown(() => translate({ services, network })).message).toContain(
        'cannot be reached in the network',
      )
  })

  it.each([
    [
      { web: { command: 'x', depends_on: ['bd'] }, db: { command: 'y' } },
      'HOLM_BLUEPRINT_INVALID',
      /"bd", which is no service, did you mean "db"/,
    ],
    [
      { a: { command: 'x', depends_on: ['b'] }, b: { command: 'x', depends_on: ['a'] } },
      'HOLM_BLUEPRINT_CYCLE',
      /a -> b -> a/,
    ],
    [{ a: { command: 'x', depends_on: ['a'] } }, 'HOLM_BLUEPRINT_CYCLE', /a -> a/],
    [{ '../up': { command: 'x' } }, 'HOLM_BLUEPRINT_INVALID', /services\.\.\.\/up/],
    [{ 'a b': { command: 'x' } }, 'HOLM_BLUEPRINT_INVALID', /needs a name of letters/],
    [{ a: {} }, 'HOLM_BLUEPRINT_INVALID', /neither a command nor an image/],
    [{ a: { command: ' ' } }, 'HOLM_BLUEPRINT_INVALID', /neither a command nor an image/],
    [
      { a: { command: 'x', healthcheck: { port: 1, url: 'http://x' } } },
      'HOLM_BLUEPRINT_INVALID',
      /exactly one/,
    ],
    [{ a: { command: 'x', healthcheck: {} } }, 'HOLM_BLUEPRINT_INVALID', /exactly one/],
    [
      { a: { command: 'x', volumes: [{ mount: '/x' }] } },
      'HOLM_BLUEPRINT_INVALID',
      /has volumes but no image/,
    ],
  ])('%j', (services, code, message) => {
    const error = thrown(() => translate({ services }))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  })
})

describe('blueprints of thresh', () => {
  const context: BlueprintContext = {
    cwd: '/',
    env,
    paths: { config: '/nowhere', cache: '/nowhere' },
    runner: {
      run: () => Promise.reject(new Error('no program')),
      spawn: () => Promise.reject(new Error('no program')),
    },
    platform: 'linux',
  }
  const load = async (file: string) =>
    toSpec(await loadBlueprint(fixtures + file, context), { base, env }).spec

  it('load unchanged', async () => {
    const files = readdirSync(fixtures)
    expect(files.length).toBeGreaterThanOrEqual(5)
    for (const file of files) expect((await loadBlueprint(fixtures + file, context)).warnings).toEqual([])
  })

  it('keep their scripts, with the line ends of Linux', async () => {
    expect((await load('node-dev.json')).provision).toEqual({
      packages: ['build-essential', 'curl', 'git', 'nodejs', 'npm'],
      tools: {},
      setup: ['#!/bin/bash\nset -e\nnpm install -g yarn\n'],
      postInstall: ['node --version\nnpm --version'],
    })
    expect(await load('alpine-python.yaml')).toMatchObject({
      env: { PYTHON_VERSION: '3.10' },
      name: 'alpine-python',
    })
  })

  it('keep ports, volumes and mounts', async () => {
    expect(await load('postgres-persistent.json')).toMatchObject({
      hostname: 'pgdev',
      network: 'bridge-dev',
      expose: [5432],
      ports: [{ host: 5432, container: 5432 }],
      provision: { setup: [], postInstall: ['service postgresql start'] },
    })
    expect((await load('wordpress-stack.json')).mounts.slice(1)).toEqual([
      {
        type: 'bind',
        source: `${fixtures}themes`,
        target: '/var/www/html/wp-content/themes',
        readonly: false,
      },
      { type: 'bind', source: '/home/me/certs', target: '/etc/ssl/wordpress', readonly: true },
      { type: 'volume', source: 'wp-content', target: '/var/www/html/wp-content', readonly: false },
      { type: 'volume', source: 'wp-db', target: '/var/lib/mysql', readonly: false },
      { type: 'tmpfs', target: '/tmp' },
      { type: 'tmpfs', target: '/run', sizeBytes: 64 * 1024 ** 2 },
    ])
  })

  it('give wsl.conf to the wsl provider', async () => {
    expect(await load('wsl-systemd.json')).toMatchObject({
      name: 'ubuntu-with-systemd',
      options: {
        wsl: {
          wslConfig: 'docker',
          wslConfigFile: `${fixtures}wsl.conf`,
          wslConfigCustom: { boot: { systemd: true }, automount: { options: null } },
        },
      },
    })
  })
})
