import { afterEach, beforeEach, expect, test } from 'vitest'
import { waitFor } from '@holm/testkit'
import {
  createFaultHolm,
  engine,
  expectCode,
  expectError,
  listResidue,
  type FaultHolm,
} from './faults/support/fault-holm.ts'
import { listEngineTraces } from './support/engine.ts'
import { missingBuild, missingDocker } from './support/holm.ts'
import { importImage, makeBusyboxRootfs, missingBusybox, removeImage } from './support/images.ts'

/** Generous: a busy machine takes its time. */
const limits = { timeout: 300_000 }

/** Without its rules an engine answers no question for a name, and those of the machine are not touched by `npm test`. */
const nameless =
  process.env['HOLM_TEST_DOCKER_NAMES'] === 'no'
    ? 'the engine of npm test is started without iptables, and resolves no names: HOLM_TEST_DOCKER_HOST names another one'
    : undefined

let holm: FaultHolm
let images: readonly string[] = []
let before: readonly string[] = []

beforeEach(async (ctx) => {
  holm = createFaultHolm()
  const reason = missingBuild() ?? missingDocker() ?? (await missingBusybox())
  if (reason !== undefined) ctx.skip(reason)
  const tarball = await makeBusyboxRootfs(holm.folder)
  const [web, echo] = [`${holm.namespace}/web:1`, `${holm.namespace}/echo:1`] as const
  images = [web, echo]
  // A main process without a handler of its own would wait for the whole grace when it is stopped.
  const ended = `trap "exit 0" TERM; "$@" & wait $!`
  const entrypoint = (...argv: string[]): string =>
    `ENTRYPOINT ${JSON.stringify(['/bin/sh', '-c', ended, 'main', ...argv])}`
  const httpd = [entrypoint('httpd', '-f', '-p', '80'), 'CMD ["-h", "/www"]']
  await importImage(engine, { tarball, reference: web, changes: httpd })
  const nc = [entrypoint(), 'CMD ["nc", "-ll", "-p", "6379", "-e", "cat"]']
  await importImage(engine, { tarball, reference: echo, changes: nc })
  before = await residue()
})
afterEach(async () => {
  await holm.dispose()
  for (const image of images) await removeImage(engine, image)
  images = []
})

const blueprint = (rest = ''): string => `name: shop
base: { image: "${images[1] ?? ''}" }
provider: docker
services:
  web:
    image: ${images[0] ?? ''}
    ports: [{ container: 80 }]
    depends_on: [cache]
    healthcheck: { url: "http://localhost/", interval: 100ms, retries: 300 }
  cache:
    image: ${images[1] ?? ''}
    restart: always
    volumes: [{ name: data, mount: /data }]
    healthcheck: { port: 6379, interval: 100ms, retries: 300 }
  inner:
    command: 'echo "page: $(wget -qO- http://web/)"; exec nc -ll -p 7000 -e /bin/cat'
    depends_on: [web]
    healthcheck: { port: 7000, interval: 100ms, retries: 300 }
${rest}`

interface Service {
  readonly name: string
  readonly state: string
  readonly exitCode: number | null
  readonly restarts: number
  readonly environment: string | null
}

async function services(): Promise<readonly Service[]> {
  return JSON.parse((await expectCode(holm, ['service', 'list', '--json'], 0)).stdout) as readonly Service[]
}

async function states(): Promise<string> {
  return (await services()).map(({ name, state }) => `${name} ${state}`).join(', ')
}

async function inside(environment: string, script: string): Promise<string> {
  return (await expectCode(holm, ['exec', environment, '--', 'sh', '-c', script], 0)).stdout.trim()
}

/** Without the locks of killed processes, which the next holder takes over. */
async function residue(): Promise<readonly string[]> {
  return (await listResidue(holm)).filter((line) => !line.startsWith('locks ')).toSorted()
}

const allRun = 'cache running, web running, inner running'

test(
  'services from images are found by name, and are listed, logged, stopped and removed with the others',
  limits,
  async (ctx) => {
    if (nameless !== undefined) ctx.skip(nameless)
    holm.write('holm.yaml', blueprint())
    await expectCode(holm, ['up'], 0)
    expect(await states()).toBe(allRun)
    expect((await services()).map((each) => each.environment)).toEqual(['shop-cache', 'shop-web', 'shop'])
    expect(
      await inside('shop', 'wget -qO- "$HOLM_SERVICE_WEB_URL"; (echo ping; sleep 0.2) | nc cache 6379'),
    ).toBe('a page\nping')
    // The other way round: the environment, and what runs inside it, have names too.
    expect(await inside('shop-cache', '(echo back; sleep 0.2) | nc inner 7000')).toBe('back')
    expect((await expectCode(holm, ['service', 'logs', 'inner'], 0)).stdout).toBe('page: a page\n')
    const { stdout } = await expectCode(holm, ['list'], 0)
    expect(stdout).toContain('service web of shop')
    expect((await expectCode(holm, ['port', 'list'], 0)).stdout).toMatch(/shop +web +80 +127\.0\.0\.1:\d+/)

    await inside('shop-cache', 'echo kept > /data/file')
    await expectCode(holm, ['service', 'stop', 'cache'], 0)
    expect(await states()).toBe('cache stopped, web stopped, inner stopped')
    await expectCode(holm, ['up'], 0)
    expect(await states()).toBe(allRun)
    await expectCode(holm, ['stop'], 0)
    await expectCode(holm, ['start'], 0)
    expect(await states()).toBe(allRun)
    await expectCode(holm, ['up', '--recreate', '--yes'], 0)
    expect(await inside('shop-cache', 'cat /data/file')).toBe('kept')

    await expectCode(holm, ['destroy', '--yes'], 0)
    const kept = (await residue()).filter((line) => !before.includes(line))
    expect(kept).toEqual([`volume ${holm.namespace}-shop-data`])
    await expectCode(holm, ['destroy', 'shop', '--yes', '--volumes'], 0)
    expect(await residue()).toEqual(before)
  },
)

test(
  'the engine starts one again that dies; a task is done once; one that fails says why',
  limits,
  async () => {
    const echo = images[1] ?? ''
    holm.write(
      'holm.yaml',
      `name: shop
base: { image: "${echo}" }
provider: docker
services:
  cache: { image: "${echo}", restart: always, command: 'while [ ! -f /tmp/end ]; do sleep 0.1; done; rm /tmp/end; exit 3' }
  task: { image: "${echo}", command: 'echo done' }
`,
    )
    await expectCode(holm, ['up'], 0)
    await waitFor(async () => (await states()) === 'cache running, task exited', {
      what: 'the task to be done',
      deadlineMs: 60_000,
    })
    await expectCode(holm, ['up'], 0)
    expect((await expectCode(holm, ['service', 'logs', 'task'], 0)).stdout).toBe('done\n')
    await inside('shop-cache', 'touch /tmp/end')
    await waitFor(
      async () => (await services())[0]?.restarts === 1 && (await states()).startsWith('cache running'),
      {
        what: 'the engine to start it again',
        deadlineMs: 60_000,
      },
    )
    await expectCode(holm, ['destroy', '--yes'], 0)
    holm.write(
      'holm.yaml',
      `name: shop\nbase: { image: "${echo}" }\nprovider: docker\nservices:\n  bad: { image: "${echo}", command: 'echo no config; exit 3' }\n`,
    )
    const failed = await expectCode(holm, ['up'], 7)
    for (const part of [
      'HOLM_SERVICE_FAILED',
      'service bad: it ended with 3',
      'no config',
      'holm service logs bad -e shop',
    ])
      expect(failed.stderr).toContain(part)
    expect(await states()).toBe('bad exited')
  },
)

test('the services of a Compose file run beside the environment, and leave nothing', limits, async (ctx) => {
  if (nameless !== undefined) ctx.skip(nameless)
  const [web = '', echo = ''] = images
  holm.write(
    'holm.yaml',
    `name: shop\nbase: { image: "${echo}" }\nprovider: docker\ncompose: { file: compose.yaml, ports: free }\n`,
  )
  holm.write('.env', 'WORD="it\'s a word"\n')
  holm.write(
    'compose.yaml',
    `services:
  web:
    image: ${web}
    ports: ["8080:80"]
    depends_on: { cache: { condition: service_healthy }, migrate: { condition: service_completed_successfully } }
    logging: { driver: json-file }
  cache:
    image: ${echo}
    volumes: [data:/data]
    networks: { back: { aliases: [store] } }
    healthcheck: { test: ["CMD-SHELL", "nc -w 5 127.0.0.1 6379 < /etc/passwd"], interval: 60s }
  migrate:
    image: ${echo}
    command: sh -c "sleep 1; echo $$WORD | nc store 6379; echo $$WORD > /data/word"
    environment: { WORD: "\${WORD:?say it}" }
    volumes: [data:/data]
    depends_on: { cache: { condition: service_healthy } }
volumes: { data: {} }
networks: { back: {} }
`,
  )
  const { stderr } = await expectCode(holm, ['up'], 0)
  expect(stderr).toContain('compose.yaml: left out, as holm does not know it: services.web.logging')
  expect(await states()).toBe('cache running, migrate exited, web running')
  expect(await inside('shop', 'wget -qO- http://web/')).toBe('a page')
  expect(await inside('shop-cache', 'cat /data/word')).toBe("it's a word")
  expect((await expectCode(holm, ['service', 'logs', 'migrate'], 0)).stdout).toBe("it's a word\n")
  await expectCode(holm, ['service', 'stop', 'cache'], 0)
  expect(await states()).toBe('cache stopped, migrate stopped, web stopped')
  await expectCode(holm, ['destroy', '--yes', '--volumes'], 0)
  expect(await residue()).toEqual(before)
})

test('a provider that cannot run images refuses before anything is made', limits, async () => {
  holm.write(
    'holm.yaml',
    blueprint()
      .replace('provider: docker', 'provider: sandbox')
      .replace(/^base.*$/m, 'base: host'),
  )
  await expectError(holm, ['up'], {
    exit: 3,
    code: 'HOLM_BLUEPRINT_UNSUPPORTED',
    says: ['sandbox', 'the service cache, web from an image'],
    hint: '--provider docker',
  })
  expect(await residue()).toEqual(before)
})

test('kill -9 in the middle of up, more than once: the next one goes on', limits, async () => {
  holm.write(
    'holm.yaml',
    nameless === undefined ? blueprint() : blueprint().replace(/echo "page: .*?\)"; /, ''),
  )
  for (const name of ['shop-cache', 'shop-web']) await killWhenMade(name)
  await expectCode(holm, ['up'], 0)
  expect(await states()).toBe(allRun)
  const destroying = holm.start(['destroy', '--yes', '--volumes'])
  const isGone = (traces: readonly string[]): boolean => !traces.includes(`container /${holm.namespace}-shop`)
  await waitForEngine(isGone, 'shop to be gone')
  destroying.kill('SIGKILL')
  await destroying.ended
  // Whether it was through already is a matter of luck.
  await holm.run(['destroy', 'shop', '--yes', '--volumes'])
  expect(await residue()).toEqual(before)
})

test('kill -9 in the middle of up: destroy leaves nothing', limits, async () => {
  holm.write('holm.yaml', blueprint())
  await killWhenMade('shop-cache')
  await expectCode(holm, ['destroy', 'shop', '--yes', '--volumes'], 0)
  expect(await residue()).toEqual(before)
})

async function killWhenMade(name: string): Promise<void> {
  const up = holm.start(['up'])
  await waitForEngine(
    (traces) => traces.includes(`container /${holm.namespace}-${name}`),
    `${name} to be made`,
  )
  up.kill('SIGKILL')
  await up.ended
}

async function waitForEngine(is: (traces: readonly string[]) => boolean, what: string): Promise<void> {
  await waitFor(async () => is(await listEngineTraces(engine, holm.namespace)), {
    what,
    deadlineMs: 60_000,
    intervalMs: 10,
  })
}
