import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { interpolate } from './interpolate.ts'
import { loadCompose, type ComposeInput } from './load-compose.ts'
import { splitWords } from './shell-words.ts'

let folder: string
beforeEach(() => void (folder = realpathSync(mkdtempSync(join(tmpdir(), "holm compose'")))))
afterEach(() => rmSync(folder, { recursive: true }))

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)

async function load(text: string, compose: Partial<Exclude<ComposeInput['compose'], string>> = {}) {
  write('compose.yaml', text)
  const env = { HOME: '/home/me', FROM_HERE: 'here' }
  return loadCompose({ compose: { file: 'compose.yaml', ...compose }, directory: folder, env })
}

/** A shop as many projects have it. */
const shop = `
version: '3.8'
name: shop
x-logging: &logging { logging: { driver: json-file } }
services:
  app:
    <<: *logging
    build:
      context: ./app
      dockerfile: docker/Dockerfile.dev
      args: [NODE_ENV=development, FROM_HERE]
      target: dev
    command: npm run dev -- --host "0.0.0.0"
    working_dir: /srv/app
    user: node
    ports:
      - "\${APP_PORT:-3000}:3000"
      - target: 9229
        published: "9229"
        host_ip: 127.0.0.1
    volumes:
      - ./app:/srv/app:cached
      - /srv/app/node_modules
      - { type: bind, source: ./config, target: /etc/shop, read_only: true }
    environment:
      DATABASE_URL: postgres://shop:\${DB_PASSWORD}@db:5432/shop
      PRICE: "5$$"
      FROM_HERE:
    env_file: [./app.env, { path: ./none.env, required: false }]
    depends_on:
      db: { condition: service_healthy }
      cache: { condition: service_started }
      migrate: { condition: service_completed_successfully }
      mail: { condition: service_started, required: false }
    labels: { traefik.enable: "true" }
  migrate:
    image: shop/migrate
    depends_on: [db]
    restart: "no"
  db:
    image: postgres:17
    container_name: shop-database
    environment: [POSTGRES_USER=shop, "POSTGRES_PASSWORD=\${DB_PASSWORD}"]
    volumes: [data:/var/lib/postgresql/data]
    tmpfs: /run:size=16m
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -U $$POSTGRES_USER"]
      interval: 10s
      timeout: 5s
      retries: 5
      start_period: 30s
    restart: unless-stopped
    networks: { back: { aliases: [postgres] } }
    deploy: { resources: { limits: { cpus: '0.50', memory: 512M } } }
    shm_size: 128mb
  cache:
    image: redis:7-alpine
    command: ["redis-server", "--save", ""]
    restart: on-failure:3
    init: true
    cap_drop: [ALL]
    security_opt: [no-new-privileges:true]
  mail:
    image: mailpit
    profiles: [debug]
volumes: { data: }
networks: { back: , front: { driver: bridge } }
`

describe('a file with an application, a database and a cache', () => {
  beforeEach(() => {
    write('.env', '# for everybody\nDB_PASSWORD="it\'s secret"\nAPP_PORT=3100\n')
    write('app.env', 'FROM_FILE=file\nPRICE=overridden\n')
  })

  it('becomes services beside the environment', async () => {
    const { services, warnings } = await load(shop)
    const [app, migrate, db, cache] = services
    expect(services.map(({ name }) => name)).toEqual(['app', 'migrate', 'db', 'cache'])
    expect(app).toEqual({
      name: 'app',
      container: {
        base: {
          kind: 'build',
          context: join(folder, 'app'),
          dockerfile: join(folder, 'app/docker/Dockerfile.dev'),
          args: { NODE_ENV: 'development', FROM_HERE: 'here' },
          target: 'dev',
        },
        args: ['npm', 'run', 'dev', '--', '--host', '0.0.0.0'],
        user: 'node',
        workdir: '/srv/app',
        aliases: [],
        mounts: [
          { type: 'bind', source: join(folder, 'app'), target: '/srv/app', readonly: false },
          { type: 'volume', target: '/srv/app/node_modules', readonly: false },
          { type: 'bind', source: join(folder, 'config'), target: '/etc/shop', readonly: true },
        ],
      },
      env: {
        FROM_FILE: 'file',
        DATABASE_URL: "postgres://shop:it's secret@db:5432/shop",
        PRICE: '5$',
        FROM_HERE: 'here',
      },
      ports: [
        { container: 3000, host: 3100, hostIp: '127.0.0.1', protocol: 'tcp' },
        { container: 9229, host: 9229, hostIp: '127.0.0.1', protocol: 'tcp' },
      ],
      dependsOn: ['db', 'cache', 'migrate'],
      restart: 'no',
    })
    expect(migrate).toMatchObject({ task: true, restart: 'no', dependsOn: ['db'] })
    expect(db).toMatchObject({
      container: {
        base: { kind: 'image', reference: 'postgres:17' },
        aliases: ['shop-database', 'postgres'],
        mounts: [
          { type: 'volume', source: 'data', target: '/var/lib/postgresql/data' },
          { type: 'tmpfs', target: '/run', sizeBytes: 16 * 1024 ** 2 },
        ],
        resources: { cpus: 0.5, memoryBytes: 512 * 1024 ** 2 },
      },
      env: { POSTGRES_USER: 'shop', POSTGRES_PASSWORD: "it's secret" },
      // Five intervals of ten seconds, asked every second.
      healthCheck: {
        kind: 'command',
        command: { shell: 'pg_isready -U $POSTGRES_USER' },
        intervalMs: 1000,
        timeoutMs: 5000,
        retries: 50,
        startPeriodMs: 30_000,
      },
      restart: 'always',
    })
    expect(cache).toMatchObject({
      container: {
        args: ['redis-server', '--save', ''],
        init: true,
        security: { capAdd: [], capDrop: ['ALL'] },
      },
      restart: 'on-failure',
    })
    expect(warnings).toEqual([
      'compose.yaml: left out, as holm does not know it: services.app.logging, services.db.shm_size',
    ])
  })

  it('gives those that are asked for, with what they need, on free ports where that is wanted', async () => {
    const { services } = await load(shop, { services: ['app'], ports: 'free' })
    expect(services.map(({ name }) => name)).toEqual(['app', 'migrate', 'db', 'cache'])
    expect(services[0]?.ports).toMatchObject([{ container: 3000 }, { container: 9229 }])
    expect(services[0]?.ports[0]).not.toHaveProperty('host')
    const debug = await load(shop, { profiles: ['debug'] })
    expect(debug.services.map(({ name }) => name)).toContain('mail')
    expect(debug.services[0]?.dependsOn).toContain('mail')
    expect((await load(shop, { services: ['cache'] })).services).toHaveLength(1)
    await expect(load(shop, { services: ['cahce'] })).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_INVALID',
      message: expect.stringContaining('did you mean "cache"') as unknown,
    })
  })
})

it('says which variables are not set, and stops at those that must be', async () => {
  const { services, warnings } = await load('services: { a: { image: "a:$TAG", hostname: "${NONE}" } }')
  expect(services[0]?.container?.base).toEqual({ kind: 'image', reference: 'a:' })
  expect(warnings).toEqual(['compose.yaml: not set, taken as empty: TAG, NONE'])
  await expect(load('services: { a: { image: "${TAG:?say which}" } }')).rejects.toMatchObject({
    code: 'HOLM_BLUEPRINT_INVALID',
    message: 'the variable TAG is not set: say which',
  })
})

it.each([
  ['services: { a: { image: x, privileged: true } }', 'services.a.privileged', 'runs privileged'],
  ['services: { a: { image: x, pid: host } }', 'services.a.pid', 'sees processes of others'],
  ['services: { a: { image: x, network_mode: host } }', 'services.a.network_mode', 'another kind'],
  ['services: { a: { image: x, extends: { service: b } } }', 'services.a.extends', 'extends'],
  ['services: { a: { image: x, devices: [/dev/kvm] } }', 'services.a.devices', 'devices'],
  ['services: { a: { image: x, secrets: [s] } }', 'services.a.secrets', 'secrets'],
  [
    'services: { a: { image: x, security_opt: [seccomp:unconfined] } }',
    'services.a.security_opt',
    'security',
  ],
  ['services: { a: { build: { context: ., dockerfile_inline: FROM x } } }', 'dockerfile_inline', 'needs it'],
  ['services: { a: { build: "https://host/repo.git" } }', 'services.a.build.context', 'elsewhere'],
  ['include: [other.yaml]\nservices: { a: { image: x } }', 'include', 'includes other files'],
  ['services: { a: { image: x } }\nvolumes: { v: { external: true } }', 'volumes.v', 'elsewhere'],
  ['services: { a: { image: x } }\nvolumes: { v: { driver: nfs } }', 'volumes.v', 'driver'],
  ['services: { a: { image: x } }\nnetworks: { n: { external: true } }', 'networks.n', 'elsewhere'],
])('refuses by name what cannot be left out: %s', async (text, path, reason) => {
  const refused = load(text)
  await expect(refused).rejects.toMatchObject({ code: 'HOLM_BLUEPRINT_UNSUPPORTED' })
  await expect(refused).rejects.toThrow(path)
  await expect(refused).rejects.toThrow(reason)
})

it.each([
  ['[]', 'a map'],
  ['volumes: {}', 'a map of services'],
  ['services: { a: { } }', 'an image or a build'],
  ['services: { a: { image: x, volumes: [data:/data] } }', 'declares no volume data'],
  ['services: { a: { image: x, restart: sometimes } }', 'no, on-failure, always or unless-stopped'],
  ['services: { a: { image: x, healthcheck: { test: [true] } } }', 'begins with CMD'],
  ['services: { a: { image: x, command: "say \'hi" } }', 'quotes are closed'],
  ['services: { a: { image: x, env_file: gone.env } }', 'there is no'],
  ['services: { a: { image: x, ports: ["x"] } }', 'a port such as'],
  ['services: { a: { image: "${" } }', 'cannot be read'],
  ['services: { a: { image: x, init: maybe } }', 'true or false'],
])('refuses %s', async (text, reason) => {
  const refused = load(text)
  await expect(refused).rejects.toMatchObject({ code: 'HOLM_BLUEPRINT_INVALID' })
  await expect(refused).rejects.toThrow(reason)
})

it('tells a file that is not there, and one that is no YAML', async () => {
  const input = { compose: 'gone.yaml', directory: folder, env: {} }
  await expect(loadCompose(input)).rejects.toThrow(`there is no file ${join(folder, 'gone.yaml')}`)
  mkdirSync(join(folder, 'folder.yaml'))
  await expect(loadCompose({ ...input, compose: 'folder.yaml' })).rejects.toMatchObject({
    code: 'HOLM_BLUEPRINT_INVALID',
  })
  await expect(load('services: [')).rejects.toMatchObject({ code: 'HOLM_BLUEPRINT_SYNTAX' })
})

it.each([
  ['$A and ${A}', 'a and a'],
  ['${NO:-x}${NO-y}${EMPTY:-z}${EMPTY-w}', 'xyz'],
  ['${A:+set}${NO:+set}${EMPTY+set}', 'setset'],
  ['${NO:-${ALSO_NO:-${A}}}!', 'a!'],
  ['$$A $${A} 5$', '$A ${A} 5$'],
  ['${NO:-}', ''],
  ['plain', 'plain'],
])('fills in %s', (text, expected) => {
  const unset: string[] = []
  expect(interpolate(text, { variables: { A: 'a', EMPTY: '' }, onUnset: (name) => unset.push(name) })).toBe(
    expected,
  )
  expect(unset).toEqual([])
})

it.each([
  ['a b  c', ['a', 'b', 'c']],
  [`sh -c 'echo "hi there"'`, ['sh', '-c', 'echo "hi there"']],
  [`a\\ b "c \\"d\\"" '' e"f"g`, ['a b', 'c "d"', '', 'efg']],
  ['  ', []],
])('splits %s', (text, expected) => expect(splitWords(text)).toEqual(expected))
