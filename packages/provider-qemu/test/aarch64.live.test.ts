import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { Base } from '@holm/core'
import { collect, createSpec } from '@holm/testkit'
import { describe, expect, it } from 'vitest'
import { context, createSubject, runner, whyNot } from './subject.ts'

const file = process.env['HOLM_TEST_AARCH64_ROOTFS']

async function findReason(): Promise<string | undefined> {
  if (file === undefined || !existsSync(file))
    return 'HOLM_TEST_AARCH64_ROOTFS names no tarball for aarch64: npm test makes one'
  const { code } = await runner.run(['sh', '-c', 'command -v qemu-system-aarch64'])
  return code === 0 ? whyNot() : 'qemu-system-aarch64 is not installed'
}

const reason = await findReason()

describe(
  `a machine of another processor${reason === undefined ? '' : `: ${reason}`}`,
  { skip: reason !== undefined, timeout: 400_000 },
  () => {
    it('starts, runs programs of its kind and tells its name', async () => {
      const path = file ?? ''
      const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex')
      const base: Base = { kind: 'rootfs', name: 'arm', path, sha256 }
      const { provider, dispose } = await createSubject()
      try {
        const spec = createSpec({
          name: 'arm',
          hostname: 'arm',
          base,
          ports: [{ container: 80, hostIp: '127.0.0.1', protocol: 'tcp' }],
          options: { qemu: { arch: 'aarch64' } },
        })
        await provider.create(spec, context())
        expect((await provider.start('arm', context())).status).toBe('running')
        const script = 'uname -m; hostname; echo kept > /kept; exit 7'
        const request = { argv: ['sh', '-c', script], cwd: '/' }
        const { code, text } = await collect(await provider.exec('arm', request, context()))
        expect({ code, text }).toEqual({ code: 7, text: 'aarch64\narm\n' })
        expect((await provider.inspect('arm', context())).ports).toHaveLength(1)
        // Switched off by its own means, and with what it wrote.
        expect((await provider.stop('arm', { graceMs: 2000 }, context())).status).toBe('stopped')
        await provider.start('arm', context())
        const again = await provider.exec('arm', { argv: ['cat', '/kept'], cwd: '/' }, context())
        expect((await collect(again)).text).toBe('kept\n')
      } finally {
        await provider.remove('arm', { volumes: true }, context())
        await dispose()
      }
    })

    it('is emulated, never run by KVM', async () => {
      const { provider, dispose } = await createSubject()
      try {
        const spec = createSpec({
          base: { kind: 'rootfs', name: 'arm', path: file ?? '', sha256: '0'.repeat(64) },
          options: { qemu: { arch: process.arch === 'arm64' ? 'x86_64' : 'aarch64', accelerator: 'kvm' } },
        })
        await expect(provider.create(spec, context())).rejects.toMatchObject({
          code: 'HOLM_BLUEPRINT_UNSUPPORTED',
          message: expect.stringContaining('with KVM') as string,
        })
        expect((await provider.inspect(spec.name, context())).status).toBe('absent')
      } finally {
        await dispose()
      }
    })
  },
)
