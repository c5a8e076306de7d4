import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { connect, createServer } from 'node:net'
import path from 'node:path'
import { requireFacet } from '@holm/core'
import type { EnvironmentSpec, Provider } from '@holm/core'
import { assertRejects, collect, createSpec, parseTar, readAll, tap, waitFor } from '@holm/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLxcProvider } from '../src/index.ts'
import { context, createIncusSubject, testSocket, whyNotIncus } from './incus-subject.ts'
import { caller, loadRootfs, whyNot, type TestSubject } from './subject.ts'

const { base } = loadRootfs()
const reason = await whyNotIncus()
const noTools = await whyNot()

/** Asks the daemon itself, past the provider. */
function ask(
  method: string,
  place: string,
  body?: unknown,
): Promise<{ metadata: unknown; operation: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ metadata: unknown; operation: string }>()
  const sent = request({ socketPath: testSocket, method, path: place }, (response) => {
    let text = ''
    response.on('data', (chunk) => (text += String(chunk)))
    response.on('end', () => resolve(JSON.parse(text) as { metadata: unknown; operation: string }))
  })
  sent.on('error', reject)
  sent.end(body === undefined ? undefined : JSON.stringify(body))
  return promise
}

async function listInstances(): Promise<readonly string[]> {
  const { metadata } = await ask('GET', '/1.0/instances')
  return (metadata as readonly string[]).map((each) => each.split('/').at(-1) ?? '')
}

describe(
  `Incus or LXD${reason === undefined ? '' : `: ${reason}`}`,
  { skip: reason !== undefined, timeout: 300_000 },
  () => {
    let subject: TestSubject
    let provider: Provider
    beforeEach(async () => {
      subject = await createIncusSubject()
      provider = subject.provider
    })
    afterEach(async () => {
      for (const { name } of await provider.list(context()))
        await provider.remove(name, { volumes: true }, context())
      await subject.dispose()
    })

    const specOf = (spec: Partial<EnvironmentSpec> = {}): EnvironmentSpec =>
      createSpec({ name: 'box', ...(base ? { base } : {}), ...spec })
    const up = async (spec: Partial<EnvironmentSpec> = {}): Promise<void> => {
      await provider.create(specOf(spec), context())
      await provider.start(spec.name ?? 'box', context())
    }
    const say = async (script: string, name = 'box'): Promise<string> =>
      (await collect(await provider.exec(name, { argv: ['sh', '-c', script] }, context()))).text

    /** On a terminal, with what keys send; to the end. */
    const type = async (
      argv: readonly string[],
      keys?: { readonly after: string; readonly text: string },
    ): Promise<readonly [string, number]> => {
      const request = { argv, stdin: 'pipe', pty: { cols: 101, rows: 33 } } as const
      const program = await provider.exec('box', request, context())
      const out = tap(program.stdout)
      program.stderr.resume()
      if (keys) {
        await waitFor(() => out.text().includes(keys.after), { what: keys.after, deadlineMs: 60_000 })
        program.stdin?.write(keys.text)
      }
      const { code } = await program.exited
      if (!program.stdout.readableEnded) await once(program.stdout, 'end')
      return [out.text(), code]
    }

    it('a program on a terminal ends as it would alone, and nothing of what it says last is lost', async () => {
      await up()
      const sayings = Array.from({ length: 40 }, (_, index) => `saying ${index}`)
      for (const some of [sayings.slice(0, 20), sayings.slice(20)]) {
        const argv = (text: string): string[] => ['sh', '-c', 'printf %s "$1"; exit 3', 'sh', text]
        const said = await Promise.all(some.map((text) => type(argv(text))))
        expect(said).toEqual(some.map((text) => [text, 3]))
      }
      // A shell that runs jobs, Ctrl-C, a signal to its own group, one to itself, no such program, and a word of the shell's own.
      const jobs = ['bash', '--norc', '-i']
      expect((await type(jobs, { after: '# ', text: 'sleep 313 | cat & jobs; exit 4\n' }))[1]).toBe(4)
      const caught = "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.1; done"
      const [text, code] = await type(['sh', '-c', caught], { after: 'ready', text: '\u0003' })
      expect([text.includes('caught'), code]).toEqual([true, 7])
      const codes = async (...argv: readonly string[]): Promise<number> => (await type(argv))[1]
      expect(await codes('sh', '-c', "trap 'exit 5' TERM; kill -TERM 0; sleep 1")).toBe(5)
      expect(await type(['sh', '-c', 'printf said; kill -TERM $$'])).toEqual(['said', 143])
      expect(await codes('no-such-program')).toBe(127)
      expect(await codes('exit', '9')).toBe(127)
      expect(await say('ps -eo stat,args | grep "[h]olm-exec"')).not.toMatch(/^T/m)
    })

    it('is chosen where the tools of LXC are missing, and says why', async () => {
      const folder = path.join(subject.folder, 'empty')
      await mkdir(folder)
      const settings = { paths: { data: folder, cache: folder }, namespace: 'probe', caller }
      // Its own way to programs leads nowhere; the usual folders are added behind it, so a machine with the tools keeps them.
      const chosen = createLxcProvider({
        ...settings,
        env: {},
        config: { driver: 'incus', socket: testSocket ?? '' },
      })
      const probe = await chosen.probe(context())
      expect(probe).toMatchObject({
        usable: true,
        version: expect.stringMatching(/^(?:LXD|Incus) \d/) as string,
      })
      expect(probe.limitations.join()).toContain(
        "LXC's own tools are not used because the configuration says so",
      )
      const gone = createLxcProvider({
        ...settings,
        env: {},
        config: { driver: 'incus', socket: '/nonexistent/socket' },
      })
      expect(await gone.probe(context())).toMatchObject({
        usable: false,
        reason: expect.stringContaining('/nonexistent/socket') as string,
      })
    })

    it.skipIf(noTools !== undefined)(
      'lives beside environments of the tools, each found where it is',
      async () => {
        const paths = {
          data: path.join(subject.folder, 'both'),
          cache: path.join(subject.folder, 'both-cache'),
        }
        const both = createLxcProvider({
          paths,
          namespace: 'both',
          env: process.env,
          caller,
          config: { socket: testSocket ?? '' },
        })
        try {
          await both.create(specOf({ name: 'by-tools' }), context())
          await both.create(specOf({ name: 'by-daemon', options: { lxc: { driver: 'incus' } } }), context())
          expect((await both.list(context())).map(({ name }) => name).toSorted()).toEqual([
            'by-daemon',
            'by-tools',
          ])
          for (const name of ['by-tools', 'by-daemon']) {
            await both.start(name, context())
            expect((await collect(await both.exec(name, { argv: ['hostname'] }, context()))).text).toBe(
              `${name}\n`,
            )
          }
          expect((await listInstances()).filter((name) => name.includes('by-'))).toHaveLength(1)
        } finally {
          for (const name of ['by-tools', 'by-daemon']) await both.remove(name, { volumes: true }, context())
        }
        expect(await both.list(context())).toEqual([])
      },
    )

    it('never lists or removes an instance that is not its own', async () => {
      const name = `foreign-${process.pid}`
      const source = { type: 'none' }
      const made = await ask('POST', '/1.0/instances', {
        name,
        source,
        profiles: [],
        devices: { root: { type: 'disk', path: '/', pool: await poolName() } },
      })
      await ask('GET', `${made.operation}/wait`)
      try {
        await up()
        expect((await provider.list(context())).map((each) => each.name)).toEqual(['box'])
        await provider.remove(name, { volumes: true }, context())
        expect(await listInstances()).toContain(name)
      } finally {
        const gone = await ask('DELETE', `/1.0/instances/${name}`)
        await ask('GET', `${gone.operation}/wait`)
      }
    })

    it('shows no variable of a program to other users of this machine', async () => {
      await up({ env: { HOLM_T_SPEC: 'secret-of-the-spec' } })
      const env = { HOLM_T_CALL: 'secret-of-the-call' }
      const program = await provider.exec(
        'box',
        { argv: ['sh', '-c', 'echo "$HOLM_T_SPEC $HOLM_T_CALL"; sleep 319'], env },
        context(),
      )
      const said: string[] = []
      program.stdout.on('data', (chunk) => said.push(String(chunk)))
      program.stderr.resume()
      await waitFor(() => said.length > 0, { what: 'what the program says' })
      expect(said.join('')).toBe('secret-of-the-spec secret-of-the-call\n')
      const commands = readdirSync('/proc')
        .filter((pid) => /^\d+$/.test(pid) && pid !== String(process.pid))
        .map(commandOf)
      expect(commands.some((each) => each.includes('sleep\u0000319'))).toBe(true)
      expect(commands.filter((each) => each.includes('secret-of-the-'))).toEqual([])
      await program.kill('SIGKILL')
    })

    it('a published port leads to what listens on 127.0.0.1 inside', async () => {
      await up({ ports: [{ container: 8080, hostIp: '127.0.0.1', protocol: 'tcp' }] })
      const [port] = await requireFacet(provider, 'ports').list('box', context())
      const perl =
        'use IO::Socket::INET; $s=IO::Socket::INET->new(LocalAddr=>"127.0.0.1:8080",Listen=>5,ReuseAddr=>1); print "ready\\n"; $|=1; $c=$s->accept; print $c "from inside"'
      const server = await provider.exec('box', { argv: ['perl', '-e', `$|=1; ${perl}`] }, context())
      const said: string[] = []
      server.stdout.on('data', (chunk) => said.push(String(chunk)))
      server.stderr.resume()
      await waitFor(() => said.join('').includes('ready'), { what: 'the server inside' })
      const socket = connect(port?.host ?? 0, '127.0.0.1')
      expect((await readAll(socket)).toString()).toBe('from inside')
    })

    it('is root inside and nobody outside, with few capabilities; privileged is said and is root outside', async () => {
      await up()
      expect(
        await say(
          'grep -c sys_admin /proc/self/status; grep NoNewPrivs /proc/self/status; cat /proc/self/uid_map',
        ),
      ).toMatch(/^0\nNoNewPrivs:\t1\n +0 +[1-9]\d{4,} /)
      const security = { privileged: true, capAdd: [], capDrop: [], securityOpt: [], devices: [] }
      await up({ name: 'strong', security })
      expect(await say('cat /proc/self/uid_map', 'strong')).toMatch(/^ +0 +0 +4294967295\n/)
    })

    it('files of a folder that is mounted have one owner on both sides', async () => {
      const source = path.join(subject.folder, 'shared')
      await mkdir(source)
      await writeFile(path.join(source, 'file'), 'x')
      await up({ mounts: [{ type: 'bind', source, target: '/mnt/shared', readonly: false }] })
      expect(
        await say(
          'stat -c %u:%g /mnt/shared/file; touch /mnt/shared/new; chown 1234:1234 /mnt/shared/new; (echo x >/proc/sys/kernel/core_pattern) 2>/dev/null || echo refused',
        ),
      ).toBe(`${caller.uid}:${caller.gid}\nrefused\n`)
      expect(spawnSync('stat', ['-c', '%u:%g', path.join(source, 'new')], { encoding: 'utf8' }).stdout).toBe(
        '1234:1234\n',
      )
    })

    it('network host is this machine’s own, a named one has to exist', async () => {
      const server = createServer((socket) => socket.end('from this machine'))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      try {
        await up({ network: 'host' })
        expect(
          await say(`perl -MIO::Socket::INET -e 'print IO::Socket::INET->new("127.0.0.1:${port}")->getline'`),
        ).toBe('from this machine')
      } finally {
        server.close()
      }
      await assertRejects(
        provider.create(specOf({ name: 'lost', network: 'no-such-network' }), context()),
        ['HOLM_BLUEPRINT_UNSUPPORTED'],
        'create',
      )
    })

    it('one that was looked into and left by a killed holm is stopped for everybody, and starts', async () => {
      await up()
      await provider.stop('box', { graceMs: 1000 }, context())
      const instance = (await listInstances()).find((name) => name.endsWith('-box')) ?? 'none'
      await ask('PATCH', `/1.0/instances/${instance}`, { config: { 'user.holm.visit': 'somebody' } })
      const started = await ask('PUT', `/1.0/instances/${instance}/state`, { action: 'start', timeout: 30 })
      await ask('GET', `${started.operation}/wait`)
      expect((await provider.inspect('box', context())).status).toBe('stopped')
      await assertRejects(
        provider.exec('box', { argv: ['true'] }, context()),
        ['HOLM_ENVIRONMENT_NOT_RUNNING'],
        'exec',
      )
      await provider.start('box', context())
      expect(await say('echo up')).toBe('up\n')
    })

    it('a base without GNU tar is exported by the daemon, with the ids of the inside', async () => {
      await up()
      await say(
        'rm -rf /usr/share /usr/lib/*/perl* ; printf kept >/root/kept; chown 7:8 /root/kept; mv /usr/bin/tar /usr/bin/tar.away',
      )
      const archive = await readAll(requireFacet(provider, 'export').rootfs('box', context()))
      const listed = spawnSync('tar', ['-tvf', '-', '--numeric-owner'], { input: archive, maxBuffer: 1e9 })
      expect(String(listed.stdout)).toMatch(/ 7\/8 +4 .* root\/kept\n/)
      expect(
        parseTar(Buffer.from(archive))
          .find((entry) => entry.path === 'root/kept')
          ?.data.toString(),
      ).toBe('kept')
    })
  },
)

async function poolName(): Promise<string> {
  const { metadata } = await ask('GET', '/1.0/storage-pools')
  return (metadata as readonly string[])[0]?.split('/').at(-1) ?? ''
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}
