import { readFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { EnvironmentSpec, ExecRequest, ProviderContext } from '@holm/core'
import { collect, createSpec, createTestContext, waitFor, type Output } from '@holm/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createWslProvider } from '../src/index.ts'
import { createWorld, whyNot, type World, type WorldOptions } from './world.ts'

const reason = whyNot()
if (reason !== undefined) process.stderr.write(`wsl.live: skipped: ${reason}\n`)

describe.skipIf(reason !== undefined)('wsl, the tool itself (stand-in)', () => {
  const worlds: World[] = []
  let layers = ''
  let world: World

  const open = async (options: WorldOptions = {}): Promise<World> => {
    const made = await createWorld({ layers, ...options })
    worlds.push(made)
    return made
  }
  const context = (): ProviderContext => createTestContext({ runner: world.context.runner })
  const start = async (overrides: Partial<EnvironmentSpec> = {}): Promise<void> => {
    await world.provider.create(createSpec({ name: 'box', base: world.base(), ...overrides }), context())
    await world.provider.start('box', context())
  }
  const run = async (request: readonly string[] | ExecRequest): Promise<Output> => {
    const full = 'argv' in request ? request : { argv: request }
    return collect(await world.provider.exec('box', full, context()))
  }

  beforeAll(async () => {
    layers = await mkdtemp(path.join(tmpdir(), 'holm-wsl-layers-'))
    world = await open()
  })
  afterEach(async () => {
    world = worlds[0] as World
    for (const { name } of await world.provider.list(context()))
      await world.provider.remove(name, { volumes: true }, context())
    for (const other of worlds.splice(1)) await other.dispose()
  })
  afterAll(async () => {
    for (const each of worlds) await each.dispose()
    await rm(layers, { recursive: true, force: true })
  })

  it('writes UTF-16LE with CRLF unless WSL_UTF8 crosses over', () => {
    const { bytes, text, code } = world.wsl(['--terminate', 'nobody'])
    expect(code).toBe(255)
    expect(bytes.includes(Buffer.from('\r\n', 'utf16le'))).toBe(true)
    expect(text).toContain('Error code: Wsl/Service/WSL_E_DISTRO_NOT_FOUND')
    const utf8 = world.wsl(['--terminate', 'nobody'], { WSL_UTF8: '1', WSLENV: 'WSL_UTF8/w' })
    expect(utf8.bytes.includes(0)).toBe(false)
    expect(world.wsl(['--terminate', 'nobody'], { WSL_UTF8: '1' }).bytes.includes(0)).toBe(true)
  })

  it('exit codes that wsl.exe keeps for itself arrive', async () => {
    await start()
    for (const code of [67, 87, 255, 66, 254]) {
      expect((await run(['sh', '-c', `exit ${code}`])).code).toBe(code)
    }
    expect(world.wsl(['-d', 'holm.test.box', '--exec', '/bin/sh', '-c', 'exit 67']).text).toContain(
      'WSL_E_USER_NOT_FOUND',
    )
  })

  it('without --exec a shell reads words again; with it nothing does', async () => {
    await start()
    const words = ['$HOME', 'a  b', '"', "'", '\\', '`id`']
    const { text } = await run(['printf', '%s|', ...words])
    expect(text).toBe(words.map((word) => `${word}|`).join(''))
    expect(world.wsl(['-d', 'holm.test.box', '--', 'echo', '$HOME']).text).toBe('/root\n')
    expect(world.wsl(['-d', 'holm.test.box', '--exec', 'echo', '$HOME']).text).toBe('$HOME\n')
  })

  it('values of variables are in no list of processes', async () => {
    await start({ env: { FROM_SPEC: 'spec-s3cret-value' } })
    const child = await world.provider.exec(
      'box',
      { argv: ['sh', '-c', 'echo "$TOKEN $FROM_SPEC"; exec sleep 300'], env: { TOKEN: 'call-s3cret-value' } },
      context(),
    )
    const [said] = (await child.stdout.take(1).toArray()) as [Buffer]
    expect(said.toString()).toBe('call-s3cret-value spec-s3cret-value\n')
    const lines = (): string[] =>
      readdirSync('/proc')
        .filter((each) => /^\d+$/.test(each))
        .map(commandLineOf)
    await waitFor(() => lines().some((line) => line.includes('sleep\u0000300')), {
      what: 'the program itself',
    })
    expect(lines().filter((line) => line.includes('s3cret-value'))).toEqual([])
    await child.kill('SIGKILL')
    expect((await child.exited).code).toBe(137)
  })

  it('users: by name, with a group, missing', async () => {
    await start({ user: 'www-data' })
    expect((await run(['id', '-un'])).text).toBe('www-data\n')
    expect((await run({ argv: ['sh', '-c', 'echo $HOME $USER'], user: 'root' })).text).toBe('/root root\n')
    expect((await run({ argv: ['id', '-u', '-n'], user: 'daemon:tty' })).text).toBe('daemon\n')
    expect((await run({ argv: ['id', '-g', '-n'], user: 'daemon:tty' })).text).toBe('tty\n')
    const missing = await run({ argv: ['id'], user: 'nobody-here' })
    expect(missing.code).toBe(126)
    expect(missing.errorText).toContain('there is no user nobody-here')
  })

  it('wsl.conf is what the blueprint says, and WSL has read it', async () => {
    await start({
      hostname: 'web-1',
      options: { wsl: { profile: 'minimal', sections: { boot: { command: 'true' } } } },
    })
    const { text } = await run(['cat', '/etc/wsl.conf'])
    expect(text).toContain('[boot]\nsystemd = false\ncommand = true\n')
    expect(text).toContain('[interop]\nappendWindowsPath = false\nenabled = false\n')
    expect((await run(['hostname'])).text).toBe('web-1\n')
    expect((await run(['sh', '-c', 'ls -A /mnt/c'])).text).toBe('')
    const mounts = [{ type: 'volume', source: 'data', target: '/data', readonly: false } as const]
    const refused = createSpec({
      name: 'other',
      base: world.base(),
      mounts,
      options: { wsl: { profile: 'minimal' } },
    })
    await expect(world.provider.create(refused, context())).rejects.toMatchObject({
      code: 'HOLM_BLUEPRINT_INVALID',
    })
  })

  it('a folder of a drive is mounted below the automount root, wherever that is', async () => {
    const source = path.join(world.root, "mnt/c/Users/It is 'me'")
    mkdirSync(source, { recursive: true })
    writeFileSync(path.join(source, 'file'), 'on the drive')
    const mounts = [{ type: 'bind', source, target: '/mounted', readonly: false } as const]
    await start({ mounts, options: { wsl: { sections: { automount: { root: '/win/' } } } } })
    expect((await run(['cat', '/mounted/file'])).text).toBe('on the drive')
    expect((await run(['sh', '-c', 'ls /win'])).text).toBe('c\n')
  })

  it('limits are told, with nothing that enforces them', async () => {
    await start({ resources: { cpus: 2, memoryBytes: 1 << 30 } })
    expect((await world.provider.inspect('box', context())).limits).toEqual([
      { name: 'cpus', value: 2, enforcedBy: null },
      { name: 'memory', value: 1 << 30, enforcedBy: null },
    ])
  })

  it('the main process keeps it up; without it WSL ends it, and holm says so', async () => {
    world = await open({ env: { HOLM_STANDIN_IDLE: '600' } })
    await start()
    const distribution = 'holm.test.box'
    const running = (): boolean => world.wsl(['--list', '--running', '--quiet']).text.includes(distribution)
    const since = performance.now()
    await waitFor(() => performance.now() - since > 1500, { what: 'more than the idle time to pass' })
    expect(running()).toBe(true)
    const { text } = await run(['cat', '/run/holm/main'])
    await run(['kill', text.trim()])
    await waitFor(() => !running(), { what: 'WSL to end an idle distribution' })
    const state = await world.provider.inspect('box', context())
    expect(state).toMatchObject({
      status: 'stopped',
      reason: expect.stringContaining('ended from outside') as string,
    })
    await world.provider.start('box', context())
    expect((await run(['echo', 'again'])).text).toBe('again\n')
  })

  it('wsl --shutdown is told, and a start brings everything back', async () => {
    await start({ mounts: [{ type: 'tmpfs', target: '/scratch' }] })
    world.wsl(['--shutdown'])
    expect((await world.provider.inspect('box', context())).status).toBe('stopped')
    await expect(run(['true'])).rejects.toMatchObject({ code: 'HOLM_ENVIRONMENT_NOT_RUNNING' })
    await world.provider.start('box', context())
    expect((await run(['stat', '-f', '-c', '%T', '/scratch'])).text).toBe('tmpfs\n')
  })

  it('what a killed holm left is found and removed', async () => {
    const disk = path.join(world.root, 'mnt/c/half')
    const half = { name: 'holm.test.half', disk: path.join(disk, 'ext4.vhdx'), state: 'Installing' }
    mkdirSync(path.join(world.root, 'registry'), { recursive: true })
    writeFileSync(path.join(world.root, 'registry/holm.test.half.json'), JSON.stringify(half))
    expect(await world.provider.list(context())).toMatchObject([{ name: 'half', status: 'failed' }])
    const again = createSpec({ name: 'half', base: world.base() })
    await expect(world.provider.create(again, context())).rejects.toMatchObject({
      code: 'HOLM_ENVIRONMENT_CONFLICT',
    })
    await world.provider.remove('half', { volumes: true }, context())
    expect(await world.provider.list(context())).toEqual([])
    expect(world.wsl(['--list', '--quiet', '--all']).text).not.toContain('half')
  })

  it('a holm killed while it imports leaves what can be made again, or removed', async () => {
    const file = process.env['HOLM_TEST_ROOTFS'] ?? ''
    const spec = createSpec({ name: 'box', base: { kind: 'rootfs', name: 'piped', path: file, sha256: '' } })
    const script = path.join(import.meta.dirname, 'create-and-tell.ts')
    const words = [script, JSON.stringify(world.options), JSON.stringify(spec)]
    for (const next of ['create', 'remove']) {
      const child = await world.context.runner.spawn([process.execPath, '--conditions=holm-source', ...words])
      await child.stdout.take(1).toArray()
      await child.kill('SIGKILL')
      child.stderr.resume()
      await child.exited
      const state = await world.provider.inspect('box', context())
      expect(state).toMatchObject({ status: 'failed', reason: 'its creation was interrupted' })
      expect(await world.provider.list(context())).toMatchObject([{ name: 'box', status: 'failed' }])
      const again = next === 'create' ? await world.provider.create(spec, context()) : undefined
      expect(again?.status).toBe(next === 'create' ? 'stopped' : undefined)
      await world.provider.remove('box', { volumes: true }, context())
      expect(await world.provider.list(context())).toEqual([])
    }
    expect(world.wsl(['--list', '--quiet', '--all']).text.trim()).toBe('')
  })

  it('distributions of others are left alone', async () => {
    const other = createWslProvider({
      ...world.options,
      namespace: 'test-2',
      folder: path.join(world.root, 'mnt/c/two'),
    })
    await start()
    await other.create(createSpec({ name: 'box', base: world.base() }), context())
    expect((await other.list(context())).map(({ status }) => status)).toEqual(['stopped'])
    await other.remove('box', { volumes: true }, context())
    expect((await world.provider.inspect('box', context())).status).toBe('running')
  })

  it('another number is a rule of Windows, which goes with it', async () => {
    const { port, close } = await listenSomewhere()
    await close()
    const rules = path.join(world.root, 'portproxy')
    const ports = [{ container: 8080, host: port, hostIp: '127.0.0.1', protocol: 'tcp' } as const]
    await start({ ports })
    const rule = `listenaddress=127.0.0.1 listenport=${port} connectaddress=127.0.0.1 connectport=8080\n`
    expect(readFileSync(rules, 'utf8')).toBe(rule)
    expect(await world.provider.ports?.list('box', context())).toEqual([{ ...ports[0] }])
    await world.provider.stop('box', { graceMs: 0 }, context())
    expect(readFileSync(rules, 'utf8')).toBe('')
    await world.provider.start('box', context())
    world.wsl(['--shutdown'])
    expect(readFileSync(rules, 'utf8'), 'rules outlive WSL').toBe(rule)
    await world.provider.remove('box', { volumes: true }, context())
    expect(readFileSync(rules, 'utf8')).toBe('')
  })

  it('without an administrator another number fails, and leaves nothing', async () => {
    world = await open({ env: { HOLM_STANDIN_ELEVATED: '0' } })
    const ports = [{ container: 80, host: 8081, hostIp: '127.0.0.1', protocol: 'tcp' } as const]
    await expect(start({ ports })).rejects.toMatchObject({
      code: 'HOLM_ENVIRONMENT_FAILED',
      message: expect.stringContaining('requires elevation') as string,
      hint: expect.stringContaining('administrator') as string,
    })
    expect(world.wsl(['--list', '--running', '--quiet']).text).toBe('')
  })

  it('a tarball without a name for Windows goes through the pipe', async () => {
    const file = process.env['HOLM_TEST_ROOTFS'] ?? ''
    await start({ base: { kind: 'rootfs', name: 'piped', path: file, sha256: '' } })
    expect((await run(['cat', '/etc/hostname'])).code).toBeLessThan(2)
  })

  it('what is no root filesystem is refused, and leaves nothing', async () => {
    const file = path.join(world.root, 'mnt/c/not.tar')
    writeFileSync(file, 'this is no tar')
    const spec = createSpec({ name: 'bad', base: { kind: 'rootfs', name: 'bad', path: file, sha256: '' } })
    await expect(world.provider.create(spec, context())).rejects.toMatchObject({ code: 'HOLM_BASE_INVALID' })
    expect(await world.provider.list(context())).toEqual([])
    expect(
      readdirSync(path.join(world.root, 'mnt/c/Users/It is me/AppData/Local/holm/wsl/test/environments')),
    ).toEqual([])
  })

  it.each([
    ['Windows in German', { HOLM_STANDIN_LANGUAGE: 'de' }],
    ['the wsl.exe of Windows 10 itself', { HOLM_STANDIN_VERSION: 'inbox' }],
    ['the first version of the store', { HOLM_STANDIN_VERSION: '0.50.2.0' }],
  ])('a whole life with %s', async (_name, env) => {
    world = await open({ env })
    const { usable, limitations } = await world.provider.probe(context())
    expect(usable).toBe(true)
    const old = 'HOLM_STANDIN_VERSION' in env
    expect(limitations.some((each) => each.includes('cannot register a copied disk'))).toBe(old)
    await start()
    expect((await run(['sh', '-c', 'echo kept >/root/file; echo "$0"', 'ünï ✓'])).text).toBe('ünï ✓\n')
    await world.provider.stop('box', { graceMs: 0 }, context())
    await world.provider.snapshots?.create('box', 'one', context())
    const snapshot = path.join(
      world.root,
      'mnt/c/Users/It is me/AppData/Local/holm/wsl/test/environments/box/snapshots/one',
    )
    expect(existsSync(path.join(snapshot, old ? 'rootfs.tar' : 'ext4.vhdx'))).toBe(true)
    await world.provider.clone?.clone('box', createSpec({ name: 'copy' }), context())
    await world.provider.remove('box', { volumes: true }, context())
    await world.provider.start('copy', context())
    const copied = await world.provider.exec('copy', { argv: ['cat', '/root/file'] }, context())
    expect((await collect(copied)).text).toBe('kept\n')
    await expect(world.provider.start('box', context())).rejects.toMatchObject({
      code: 'HOLM_ENVIRONMENT_NOT_FOUND',
    })
    await world.provider.remove('copy', { volumes: true }, context())
    expect(world.wsl(['--list', '--quiet', '--all']).text.trim()).toBe('')
  })

  it('without Windows the probe says so', async () => {
    const bare = createWslProvider({ platform: 'linux', namespace: 'test', env: {} })
    expect(await bare.probe(context())).toMatchObject({
      usable: false,
      reason: expect.stringContaining('needs Windows') as string,
    })
    const gone = createWslProvider({ ...world.options, wsl: '/nonexistent/wsl.exe' })
    expect(await gone.probe(context())).toMatchObject({
      usable: false,
      fix: expect.stringContaining('wsl --install') as string,
    })
  })

  it('nothing is left mounted or running', async () => {
    const shown = path.join(world.root, 'mnt/wsl/holm/test')
    const source = await mkdtemp(path.join(tmpdir(), 'holm-wsl-source-'))
    await start({ mounts: [{ type: 'bind', source, target: '/mounted', readonly: false }] })
    expect(readdirSync(shown)).toEqual(['box'])
    await world.provider.remove('box', { volumes: true }, context())
    expect(readdirSync(shown)).toEqual([])
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(shown)
    expect(world.wsl(['--list', '--running', '--quiet']).text).toBe('')
    await rm(source, { recursive: true })
  })
})

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

function listenSomewhere(): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer()
  const close = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()))
  return new Promise((resolve) => {
    server.listen({ port: 0, host: '127.0.0.1' }, () => {
      const address = server.address()
      resolve({ port: typeof address === 'object' && address ? address.port : 0, close })
    })
  })
}
