import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import type { Base, EnvironmentSpec } from '@holm/core'
import { collect, createSpec, within } from '@holm/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { context, createSubject, whyNot, type TestSubject } from './subject.ts'

const file = process.env['HOLM_TEST_DISK']
const reason =
  file !== undefined && existsSync(file)
    ? await whyNot()
    : 'HOLM_TEST_DISK names no disk image with cloud-init (qcow2): npm test makes one'

const gibibyte = 1024 ** 3
const userData = `#cloud-config
ssh_genkeytypes: [ed25519]
write_files:
  - { path: /root/from-user-data, content: "it was read" }
`
const look = `hostname; cat /proc/1/comm /var/lib/cloud/data/instance-id; grep -c 00000000 /proc/net/route; cat /root/from-user-data`

// A machine whose processor is emulated takes a minute for systemd and cloud-init.
describe(
  `a disk${reason === undefined ? '' : `: ${reason}`}`,
  { skip: reason !== undefined, timeout: 600_000 },
  () => {
    let subject: TestSubject
    let base: Base
    const names = ['disk', 'disk-twin', 'disk-broken']
    const specOf = (name: string, more: Partial<EnvironmentSpec> = {}): EnvironmentSpec =>
      createSpec({
        name,
        hostname: name,
        base,
        resources: { cpus: 2, memoryBytes: gibibyte },
        options: { qemu: { userData } },
        ...more,
      })
    const say = async (name: string, script: string): Promise<string> => {
      const request = { argv: ['sh', '-c', script], cwd: '/' }
      return (await collect(await subject.provider.exec(name, request, context()))).text.trim()
    }
    const keyOf = (name: string): Promise<string> => say(name, 'cat /etc/ssh/ssh_host_ed25519_key.pub')
    let key: string

    beforeAll(async () => {
      if (reason !== undefined || file === undefined) return
      const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
      base = { kind: 'disk', name: 'cloud', path: file, format: 'qcow2', sha256 }
      subject = await createSubject()
    })
    afterAll(async () => {
      if (reason !== undefined) return
      for (const name of names) await subject.provider.remove(name, { volumes: true }, context())
      await subject.dispose()
    }, 120_000)

    it('is configured by cloud-init, and start waits for that', async () => {
      const spec = specOf('disk', { ports: [{ container: 22, hostIp: '127.0.0.1', protocol: 'tcp' }] })
      await subject.provider.create(spec, context())
      const { id } = await subject.provider.start('disk', context())
      expect(await say('disk', look)).toBe(['disk', 'systemd', id, '2', 'it was read'].join('\n'))
      key = await keyOf('disk')
      const [binding] = (await subject.provider.inspect('disk', context())).ports
      const socket = connect(binding?.host ?? 0, '127.0.0.1')
      const [banner] = (await within(once(socket, 'data'), { what: 'the greeting of its SSH server' })) as [
        Buffer,
      ]
      expect(banner.toString()).toMatch(/^SSH-2\.0-/)
      socket.destroy()
      expect((await subject.provider.stop('disk', { graceMs: 10_000 }, context())).status).toBe('stopped')
    })

    it('of a clone is another machine for cloud-init, and grows with the disk', async () => {
      await subject.provider.clone?.clone('disk', specOf('disk-twin'), context())
      await subject.provider.resize?.resize('disk-twin', { diskBytes: 4 * gibibyte }, context())
      const { id } = await subject.provider.start('disk-twin', context())
      expect(await say('disk-twin', look)).toBe(['disk-twin', 'systemd', id, '2', 'it was read'].join('\n'))
      expect(key).toMatch(/^ssh-ed25519 /)
      expect(await keyOf('disk-twin')).not.toBe(key)
      const size = Number(await say('disk-twin', 'df --output=size -B1 / | tail -n 1'))
      expect(size).toBeGreaterThan(3.5 * gibibyte)
      await subject.provider.stop('disk-twin', { graceMs: 10_000 }, context())
    })

    it('with settings that cloud-init cannot read does not start, and says so', async () => {
      const broken = { options: { qemu: { userData: '#cloud-config\nwrite_files: [{ path: /x' } } }
      await subject.provider.clone?.clone('disk', specOf('disk-broken', broken), context())
      await expect(subject.provider.start('disk-broken', context())).rejects.toMatchObject({
        code: 'HOLM_ENVIRONMENT_FAILED',
        message: expect.stringMatching(/^cloud-init failed in disk-broken: .*(?:yaml|YAML)/) as string,
        hint: 'Correct providers.qemu.userData of the blueprint.',
      })
      expect((await subject.provider.inspect('disk-broken', context())).status).toBe('stopped')
    })
  },
)
