import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test, type TestContext } from 'vitest'
import type { EnvironmentInfo } from '@holm/core'
import {
  createFaultHolm,
  engine,
  expectCode,
  listResidue,
  type FaultHolm,
} from './faults/support/fault-holm.ts'
import { exportContainer } from './support/engine.ts'
import { makeFolder } from './support/holm.ts'
import { prepareRuntime, runtimes, whyNot, type Runtime } from './support/runtimes.ts'

const slow = { timeout: 400_000 }

const named = (provider: string): Runtime => {
  const found = runtimes.find((each) => each.provider === provider)
  if (found === undefined) throw new Error(`no runtime ${provider}`)
  return found
}

let holm: FaultHolm
// Bases and kernels are unpacked once: what is tried here is what comes after.
const cache = makeFolder('holm-families-')
afterAll(() => rmSync(cache, { recursive: true, force: true }))
beforeEach(() => {
  holm = createFaultHolm()
  symlinkSync(cache, join(holm.home, 'cache'))
})
afterEach(() => holm.dispose())

/** Files as no archive likes them. */
const oddities = `
import os, struct
os.makedirs('/srv/odd things/ümläut "quoted"', exist_ok=True)
os.chdir('/srv/odd things')
open('plain', 'w').write('plain')
os.chown('plain', 12345, 54321)
os.link('plain', 'twin')
open('ümläut "quoted"/name with spaces', 'w').write('spaces')
os.symlink('../odd things/plain', 'near')
os.symlink('/srv/odd things/plain', 'far')
os.symlink('/nowhere', 'dangling')
open('sticky', 'w').write('x')
os.chmod('sticky', 0o4711)
os.mkfifo('fifo', 0o640)
with open('sparse', 'wb') as file:
    file.seek(64 * 1024 * 1024)
    file.write(b'end')
open('able', 'w').write('x')
# cap_net_bind_service, effective, as setcap writes it.
os.setxattr('able', 'security.capability', struct.pack('<5I', 0x02000001, 1 << 10, 0, 0, 0))
`

/** One line for each fact; the same on both sides. */
const facts = `
import os
begun = os.getcwd()
os.chdir('/srv/odd things')
def tell(name, *what): print(name, *what)
for name in ['plain', 'sticky', 'fifo', 'sparse', 'able']:
    found = os.lstat(name)
    tell(name, oct(found.st_mode), found.st_uid, found.st_gid, found.st_size)
tell('hard link', os.stat('plain').st_ino == os.stat('twin').st_ino)
for name in ['near', 'far', 'dangling']: tell(name, os.readlink(name))
tell('content', open('near').read(), open('ümläut "quoted"/name with spaces').read())
file = open('sparse', 'rb'); file.seek(64 * 1024 * 1024); tell('end', file.read())
for name in sorted(os.listxattr('able')): tell(name, os.getxattr('able', name).hex())
tell('env', os.environ.get('GREETING'), 'user', os.getuid(), 'in', begun)
`

const blueprint =
  'user: "1234:4321"\nworkdir: /srv\nenvironment: { GREETING: "it\'s kept, with spaces" }\nproject: false\n'

async function python(name: string, script: string, user?: string): Promise<string> {
  const as = user === undefined ? [] : ['--user', user]
  return (
    await expectCode(holm, ['exec', name, ...as, '--', 'python3', '-c', script], {
      exit: 0,
      timeoutMs: 200_000,
    })
  ).stdout
}

async function makeOdd(name: string): Promise<string> {
  await python(name, oddities, '0')
  await python(name, `import os\nos.setxattr('/srv/odd things/able', 'user.note', b'kept')`, '0')
  return python(name, facts)
}

const withoutNotes = (told: string): string => told.replaceAll(/^user\..*\n/gm, '')

async function importAs(file: string, name: string, provider: string): Promise<void> {
  const args = ['import', file, name, '--provider', provider, '--json']
  const { stdout } = await expectCode(holm, args, { exit: 0, timeoutMs: 300_000 })
  const { environment } = JSON.parse(stdout) as { environment: EnvironmentInfo }
  expect(environment).toMatchObject({ name, provider, status: 'running' })
}

const destroy = (name: string): Promise<unknown> =>
  expectCode(holm, ['destroy', name, '--yes', '--volumes'], { exit: 0, timeoutMs: 110_000 })

interface Origin {
  /** What holm exports, and what `docker export` writes. */
  readonly archive: string
  readonly tarball: string
  readonly told: string
}

/** One environment of Docker, which all others are made from; gone when it is exported. */
async function makeOrigin(): Promise<Origin> {
  const [archive, tarball] = [join(cache, 'one.tar'), join(cache, 'plain.tar')]
  await prepareRuntime(holm, named('docker'), blueprint)
  await expectCode(holm, ['up'], 0)
  const told = await makeOdd('one')
  expect(told).toContain('security.capability 0100000200040000')
  expect(told).toContain("env it's kept, with spaces user 1234 in /srv")
  await expectCode(holm, ['export', 'one', archive], 0)
  await exportContainer(engine, `${holm.namespace}-one`, tarball)
  await destroy('one')
  return { archive, tarball, told }
}

describe('an environment moves', () => {
  let made: Promise<Origin> | undefined
  const originFor = async (provider: string, ctx: TestContext): Promise<Origin> => {
    const reason = (await whyNot(holm, named('docker'))) ?? (await whyNot(holm, named(provider)))
    if (reason !== undefined) ctx.skip(reason)
    made ??= makeOrigin()
    return made
  }

  test.for(['containerd', 'lxc', 'sandbox', 'qemu'])(
    'from docker to %s and back',
    slow,
    async (provider, ctx) => {
      if (provider === 'qemu' && process.env['HOLM_TEST_SLOW'] === undefined)
        ctx.skip(
          'takes minutes on a busy machine whose processor is emulated: HOLM_TEST_SLOW=1 npm test runs it',
        )
      const { archive, told } = await originFor(provider, ctx)
      await expectCode(holm, ['list'], 0)
      const before = await listResidue(holm)
      await importAs(archive, 'two', provider)
      // Docker's own export leaves out what users note at files.
      expect(await python('two', facts)).toBe(withoutNotes(told))
      await python('two', `import os\nos.setxattr('/srv/odd things/able', 'user.note', b'kept')`, '0')
      await expectCode(holm, ['stop', 'two'], 0)
      await expectCode(holm, ['export', 'two', 'two.tar'], { exit: 0, timeoutMs: 200_000 })
      await importAs('two.tar', 'three', 'docker')
      expect(await python('three', facts)).toBe(told)
      for (const name of ['three', 'two']) await destroy(name)
      expect(await listResidue(holm)).toEqual(before)
    },
  )

  test('from docker to qemu', slow, async (ctx) => {
    const { archive, told } = await originFor('qemu', ctx)
    await expectCode(holm, ['list'], 0)
    const before = await listResidue(holm)
    await importAs(archive, 'two', 'qemu')
    expect(await python('two', facts)).toBe(withoutNotes(told))
    await destroy('two')
    expect(await listResidue(holm)).toEqual(before)
  })

  test.for(['lxc', 'qemu'])('a plain tarball of a container starts on %s', slow, async (provider, ctx) => {
    const { tarball, told } = await originFor(provider, ctx)
    await expectCode(holm, ['list'], 0)
    const before = await listResidue(holm)
    const base = JSON.stringify({ rootfs: tarball })
    holm.write('holm.yaml', `name: other\nprovider: ${provider}\nbase: ${base}\n${blueprint}`)
    await expectCode(holm, ['up'], { exit: 0, timeoutMs: 300_000 })
    expect(await python('other', facts)).toBe(withoutNotes(told))
    await destroy('other')
    expect(await listResidue(holm)).toEqual(before)
  })
})

interface Evil {
  readonly name: string
  readonly type: string
  readonly target?: string
}

/** The header of an entry without content; no tar of a distribution writes what is asked for here. */
function header({ name, type, target = '' }: Evil): Buffer {
  const head = Buffer.alloc(512)
  head.write(name, 0, 100)
  head.write(['0000755', '0000000', '0000000', '00000000000', '00000000000', '        '].join('\0'), 100)
  head.write(type, 156)
  head.write(target, 157, 100)
  head.write('ustar\x0000', 257)
  head.write('0000010\x000000000\x00', 329)
  head.fill(' ', 148, 156)
  head.write(
    `${head
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  )
  return head
}

const hostile = (outside: string): Readonly<Record<string, readonly Evil[]>> => ({
  absolute: [{ name: `${outside}/evil`, type: '0' }],
  upwards: [{ name: `usr/../../../../../../..${outside}/evil`, type: '0' }],
  device: [{ name: 'srv/disk', type: '4' }],
  link: [
    { name: 'srv', type: '2', target: outside },
    { name: 'srv/evil', type: '0' },
  ],
  hardlink: [
    { name: 'srv', type: '2', target: outside },
    { name: 'shadow', type: '1', target: 'srv/target' },
  ],
  truncated: [],
})

describe('what could do harm is refused whole', () => {
  test.for(runtimes)('as a base on $provider', slow, async (runtime, ctx) => {
    const reason = await whyNot(holm, runtime)
    if (reason !== undefined) ctx.skip(reason)
    const outside = join(holm.folder, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'target'), 'precious')
    await expectCode(holm, ['list'], 0)
    const before = await listResidue(holm)
    for (const [kind, entries] of Object.entries(hostile(outside))) {
      const end = kind === 'truncated' ? Buffer.alloc(100) : Buffer.alloc(1024)
      const shell = { name: 'bin/sh', type: '0' }
      writeFileSync(
        join(holm.project, `${kind}.tar`),
        Buffer.concat([...[shell, ...entries].map(header), end]),
      )
      holm.write('holm.yaml', `name: one\nprovider: ${runtime.provider}\nbase: { rootfs: ./${kind}.tar }\n`)
      const { stderr } = await expectCode(holm, ['up'], 3)
      expect(stderr, kind).toContain('error HOLM_BASE_INVALID')
      expect(readdirSync(outside), kind).toEqual(['target'])
      expect(readFileSync(join(outside, 'target'), 'utf8'), kind).toBe('precious')
      expect(await listResidue(holm), kind).toEqual(before)
    }
  })
})
