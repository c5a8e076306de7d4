import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { Base } from '@holm/core'
import { collect, createSpec } from '@holm/testkit'
import { expect, it } from 'vitest'
import { context, createSubject, whyNot } from './subject.ts'

const file = process.env['HOLM_TEST_DISK']
const reason =
  file !== undefined && existsSync(file)
    ? await whyNot()
    : 'HOLM_TEST_DISK names no disk image with cloud-init (qcow2)'

it(
  'a disk with cloud-init is configured by it, at first start and in a clone',
  { timeout: 900_000 },
  async ({ skip }) => {
    if (reason !== undefined || file === undefined) {
      skip(reason)
      return
    }
    const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
    const base: Base = { kind: 'disk', name: 'cloud', path: file, format: 'qcow2', sha256 }
    const { provider, dispose } = await createSubject()
    const say = async (name: string, script: string): Promise<string> =>
      (
        await collect(await provider.exec(name, { argv: ['sh', '-c', script], cwd: '/' }, context()))
      ).text.trim()
    const look =
      'hostname; cat /proc/1/comm; cat /var/lib/cloud/data/instance-id; cut -d" " -f1 /var/lib/cloud/data/status.json | head -c1; grep -c 00000000 /proc/net/route'
    try {
      for (const name of ['disk', 'disk-twin']) {
        const spec = createSpec({ name, hostname: name, base, resources: { memoryBytes: 1024 ** 3 } })
        if (name === 'disk') await provider.create(spec, context())
        else await provider.clone?.clone('disk', spec, context())
        const { id } = await provider.start(name, context())
        expect(await say(name, look)).toBe([name, 'systemd', id, '{2'].join('\n'))
        expect((await provider.stop(name, { graceMs: 10_000 }, context())).status).toBe('stopped')
      }
    } finally {
      for (const name of ['disk', 'disk-twin']) await provider.remove(name, { volumes: true }, context())
      await dispose()
    }
  },
)
